package capi

import "github.com/dbmigrate/dbmigrate/pkg/value"

// ReadRows reads a whole table and hands each row to yield.
type ReadRows func(yield func(row []value.Value) error) error

// DamageRows puts another reader in place of the reader of a table, where it is set. Nothing but tests sets
// it: what a reader overlooks, copy and digest overlook alike, so a test has to damage it from outside.
var DamageRows func(table string, read ReadRows) ReadRows

// Trace is told every statement, where it is set, for the tests that use our own SQL's names as a user's.
var Trace func(sql string)
