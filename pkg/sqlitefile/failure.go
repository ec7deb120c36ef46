package sqlitefile

import (
	"errors"
	"fmt"
	"os"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

const (
	// WayOutDamaged is the way out of what SQLite calls corrupt.
	WayOutDamaged = "restore the object from a copy, or try sqlite3's .recover"
	wayOutCostly  = "look for views of views, recursive queries, expressions that make large values; drop or simplify them"
	wayOutIndex   = "find out whether rows are lost; if the table is right, REINDEX rebuilds the index"
)

// fail gives an error its operation and kind; one that has them already stays as it is. What SQLite calls
// corrupt is the file's fault.
func fail(op, thing string, err error) error {
	var known *userdb.Error
	kind := userdb.Internal
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case capi.IsInterrupt(err):
		kind = userdb.Interrupted
	case capi.IsDamage(err):
		return refuse(
			op,
			thing,
			&Finding{Level: Blocked, Reason: ReasonDamaged, Detail: capi.Message(err), WayOut: WayOutDamaged},
		)
	case errors.Is(err, os.ErrNotExist):
		kind = userdb.NotFound
	}
	return &userdb.Error{Op: op, Thing: thing, Kind: kind, Err: err}
}

// endsCheck says whether an error tells nothing of the file, but of the time, the memory and the disk that a
// check may take.
func endsCheck(err error) bool {
	return capi.IsInterrupt(err) || capi.IsNoMemory(err) || capi.IsNoRoom(err)
}

// tooCostly is the finding for what a check may not take; object is empty where it is not known.
func tooCostly(object, detail string) *Finding {
	return &Finding{
		Level:  Blocked,
		Reason: ReasonTooCostly,
		Object: object,
		Detail: detail,
		WayOut: wayOutCostly,
	}
}

// TooCostly reports that a check was given up, since it took more time or memory than a file of this size
// may.
func TooCostly(detail string) Report { return *NewReport([]Finding{*tooCostly("", detail)}) }

// Encoded reports that the object has a Content-Encoding: what a reader gets depends on who decodes it on the
// way.
func Encoded(coding string) Report {
	return *NewReport([]Finding{{Level: Blocked, Reason: ReasonContentEncoding, Detail: fmt.Sprintf("the object is stored with Content-Encoding %q", coding),
		WayOut: "store the database itself, without Content-Encoding"}})
}
