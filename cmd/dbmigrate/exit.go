package main

import (
	"errors"

	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/parallel"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// The exit codes. They are promised in docs/scripting.md and at the end of each command's help.
const (
	exitDone        = fleet.ExitDone
	exitFailed      = fleet.ExitFailed
	exitUsage       = 2
	exitDifferent   = fleet.ExitDifferent
	exitInterrupted = fleet.ExitInterrupted
)

var exitMeanings = map[int]string{
	exitDone:        "done, or nothing to do",
	exitFailed:      "some users failed, or the command could not go on; the others are done",
	exitUsage:       "usage or configuration: nothing was begun; or an unknown user or run, or no user is selected",
	exitDifferent:   "verification found a difference",
	exitInterrupted: "interrupted; run the same command again to go on",
}

// reported ends a command with a code after its result has been written.
type reported struct{ code int }

func (reported) Error() string { return "see above" }

// ended is the outcome of a command that has written its result.
func ended(code int) error {
	if code == exitDone {
		return nil
	}
	return reported{code}
}

func isReported(err error) bool {
	var r reported
	return errors.As(err, &r)
}

// exitCode is for errors that stopped a command as a whole. A refused credential, a service that does not
// answer or asks to wait, or an unknown bucket found before any user was begun: nothing was begun.
func exitCode(err error) int {
	var r reported
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &r):
		return r.code
	}
	switch userdb.KindOf(err) {
	case userdb.Usage,
		userdb.BadUserID,
		userdb.Unauthorized,
		userdb.ProtocolError,
		userdb.Unreachable,
		userdb.Throttled,
		userdb.NotFound,
		userdb.EdgeBlocked:
		return exitUsage
	case userdb.Mismatch:
		return exitDifferent
	}
	if parallel.IsCancelled(err) {
		return exitInterrupted
	}
	return exitFailed
}

// usageError says that the command line cannot be carried out.
func usageError(op, thing, cause, hint string) error {
	return userdb.UsageError(op, thing, cause, hint)
}

// refuseUnknown: a name that nobody has is no success, whatever was done for the others.
func (a *app) refuseUnknown(command string, unknown []userdb.UserID) error {
	if len(unknown) == 0 {
		return nil
	}
	fleet.WarnUnknown(a.out, command, unknown)
	return ended(exitUsage)
}
