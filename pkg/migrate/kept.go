package migrate

import "github.com/dbmigrate/dbmigrate/pkg/userdb"

// overwrittenFolder holds what an old path wrote over a fence.
const overwrittenFolder = userdb.ReservedPrefix + "overwritten/"

// LeftBehindOf is what the keys of a user's copies begin with that rollback --discard-writes left behind.
func LeftBehindOf(u userdb.UserID) string { return leftBehindFolder + string(u) + "/" }

// OverwrittenOf is what the keys of the copies begin with that an old path wrote over the user's fence.
func OverwrittenOf(u userdb.UserID) string { return overwrittenFolder + string(u) + "/" }
