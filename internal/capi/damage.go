package capi

import "github.com/dbmigrate/dbmigrate/pkg/wire"

// ReadRows reads a whole table and hands each row to yield.
type ReadRows func(yield func(row []wire.Value) error) error

// DamageRows, where it is set, puts another reader in place of that of a table. Nothing but tests sets it: what a reader overlooks, copy and
// digest overlook alike, so a test has to damage it from outside.
var DamageRows func(table string, read ReadRows) ReadRows

// Trace, where it is set, is told every statement, for the tests that use our own SQL's names as a user's.
var Trace func(sql string)
