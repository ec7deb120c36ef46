package sqlitefile

import (
	"errors"
	"os"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

const (
	wayOutDamaged = "restore the object from a copy, or try sqlite3's .recover"
	wayOutIndex   = "find out whether rows are lost; if the table is right, REINDEX makes the index anew"
)

// fail gives an error its operation and kind; one that has them already stays as it is. What SQLite calls corrupt is the file's fault.
func fail(op, thing string, err error) error {
	var known *userdb.Error
	kind := userdb.Internal
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case capi.IsInterrupt(err):
		kind = userdb.Interrupted
	case capi.IsDamage(err):
		return refuse(op, thing, &Finding{Level: Blocked, Reason: ReasonDamaged, Detail: message(err), WayOut: wayOutDamaged})
	case errors.Is(err, os.ErrNotExist):
		kind = userdb.NotFound
	}
	return &userdb.Error{Op: op, Thing: thing, Kind: kind, Err: err}
}

// message is what SQLite says, without its number.
func message(err error) string {
	var e *capi.Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}
