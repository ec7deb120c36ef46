package split

import (
	"errors"
	"fmt"
	"os"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

const (
	hintPolicy = "change the policy, or leave this user out"
	hintFaulty = "nothing was changed anywhere: report it with the file's schema, and leave this user out"
)

// blocked says why a database cannot be split by the policy; table may be empty.
func blocked(table, hint, format string, args ...any) error {
	thing := ""
	if table != "" {
		thing = "table " + table
	}
	return &userdb.Error{
		Op:    "split",
		Thing: thing,
		Kind:  userdb.Blocked,
		Err:   fmt.Errorf(format, args...),
		Hint:  hint,
	}
}

// fail gives an error its operation and kind; one that has them already stays as it is.
func fail(op, thing string, err error) error {
	var known *userdb.Error
	kind := userdb.Internal
	switch {
	case err == nil || errors.As(err, &known):
		return err
	case capi.IsInterrupt(err):
		kind = userdb.Interrupted
	case capi.IsDamage(err):
		kind = userdb.Damaged
	case errors.Is(err, os.ErrNotExist):
		kind = userdb.NotFound
	}
	return &userdb.Error{Op: op, Thing: thing, Kind: kind, Err: err}
}
