package userdb

import (
	"errors"
	"strings"
)

// Kind classifies an error for programs: it stands in JSON output and decides exit codes. Kinds are
// append-only.
type Kind string

// The kinds.
const (
	Usage         Kind = "usage"          // wrong flags, arguments or configuration
	BadUserID     Kind = "bad-user-id"    // the id cannot name a user
	NotFound      Kind = "not-found"      // the object is not there
	NotSQLite     Kind = "not-sqlite"     // the bytes are no SQLite database
	Damaged       Kind = "damaged"        // SQLite's own check, or ours, finds the file damaged
	Blocked       Kind = "blocked"        // preflight: a Durable Object cannot hold it exactly
	TooCostly     Kind = "too-costly"     // preflight: to check it takes too much time or memory
	Unauthorized  Kind = "unauthorized"   // credentials missing or refused
	Unreachable   Kind = "unreachable"    // no answer, after retries
	Throttled     Kind = "throttled"      // 429 or overloaded, after retries
	Precondition  Kind = "precondition"   // a conditional request found another ETag
	Superseded    Kind = "superseded"     // a later claim owns the user
	Conflict      Kind = "conflict"       // the sides contradict each other; a person must look
	Mismatch      Kind = "mismatch"       // verification found a difference
	Refused       Kind = "refused"        // the Durable Object refused schema or rows
	ProtocolError Kind = "protocol-error" // the other side does not speak our protocol
	Interrupted   Kind = "interrupted"    // the operator or a deadline stopped it
	EdgeBlocked   Kind = "edge-blocked"   // something in front of the Worker answered in its place
	Internal      Kind = "internal"       // everything else
	NotStored     Kind = "not-stored"     // R2, or something on the way, refused what was uploaded
	NoSpace       Kind = "no-space"       // the disk of the machine that runs the command is full
)

// Error says what was being done (Op), to what (Thing), why it failed (Err) and the way out (Hint, may be
// empty).
type Error struct {
	Op    string
	Thing string
	Kind  Kind
	Err   error
	Hint  string
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Thing != "" {
		b.WriteString(" " + e.Thing)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	if e.Hint != "" {
		b.WriteString(" (" + e.Hint + ")")
	}
	return b.String()
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the kind of the outermost Error in err's chain, Internal for another error, and "" for nil.
func KindOf(err error) Kind {
	if err == nil {
		return ""
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// ErrorJSON is the promised shape of an error.
type ErrorJSON struct {
	Kind    Kind   `json:"kind"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// ErrorOf describes an error for JSON. The message contains the hint, too, so that it can be shown alone.
func ErrorOf(err error) ErrorJSON {
	out := ErrorJSON{Kind: KindOf(err), Message: err.Error()}
	var e *Error
	if errors.As(err, &e) {
		out.Hint = e.Hint
	}
	return out
}

// UsageError says that a command line cannot be carried out: what failed, on what thing, why, and what to do.
func UsageError(op, thing, cause, hint string) error {
	e := &Error{Op: op, Thing: thing, Kind: Usage, Hint: hint}
	if cause != "" { // where op says it all, there is none
		e.Err = errors.New(cause)
	}
	return e
}
