// Package result holds the result of one user: what was done, how it ended, and the steps on the way.
package result

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Action is what was done to a user.
type Action string

// The actions.
const (
	ActionMigrate  Action = "migrate"
	ActionRollback Action = "rollback"
	ActionVerify   Action = "verify"
	ActionGC       Action = "gc"
	ActionRehearse Action = "rehearse" // of a rollback
	ActionThaw     Action = "thaw"     // of rows of a split user
	ActionBackup   Action = "backup"
	ActionRestore  Action = "restore"
	ActionForget   Action = "forget" // to delete everything of a user
)

// Outcome is how an action ended. Outcomes are promised in docs/scripting.md.
type Outcome string

// The outcomes.
const (
	OutcomeMigrated    Outcome = "migrated"     // the Durable Object is authoritative now
	OutcomeSplit       Outcome = "split"        // cold rows are in the Durable Object now, hot ones in the file
	OutcomeMerged      Outcome = "merged"       // a split user's file is whole again
	OutcomeAlready     Outcome = "already"      // it was before
	OutcomeResumed     Outcome = "resumed"      // a rollback that was begun ended by reopening the object; no data moved
	OutcomeOverwritten Outcome = "overwritten"  // the Durable Object is authoritative, but a writer that knows no fence overwrote the file
	OutcomeRestored    Outcome = "restored"     // the file is authoritative again, as it was: nothing had been written since
	OutcomeExported    Outcome = "exported"     // the file is authoritative again, built from the Durable Object
	OutcomeDiscarded   Outcome = "discarded"    // the file is authoritative again, as it was; newer writes were left behind
	OutcomeLifted      Outcome = "lifted"       // an unfinished migration was rolled back
	OutcomeNothing     Outcome = "nothing"      // there was nothing to do
	OutcomeToBeSealed  Outcome = "to-be-sealed" // the file is authoritative; the Durable Object could not be reached and has to be sealed
	OutcomeRehearsed   Outcome = "rehearsed"    // rehearse: everything but the switch was done on a copy; Window is how long it took
	OutcomeEqual       Outcome = "equal"        // verify: both sides agree
	OutcomeWritten     Outcome = "written"      // verify: the import is proved; the application has written since
	OutcomeDifferent   Outcome = "different"    // verify: a difference that nothing explains
	OutcomeInR2        Outcome = "in-r2"        // verify: the user is not migrated
	OutcomeFreed       Outcome = "freed"        // gc: the file was replaced by a tombstone
	OutcomeKept        Outcome = "kept"         // gc: the file stays, with a reason
	OutcomeForgotten   Outcome = "forgotten"    // forget: nothing of the user is left
	// OutcomeQuarantined: migrate did not begin, because the same version of the file was refused before; see
	// Quarantine.
	OutcomeQuarantined Outcome = "quarantined"
	OutcomeBackedUp    Outcome = "backed-up" // backup: a proved copy is where SavedTo says
	OutcomeReplaced    Outcome = "replaced"  // restore: the user has the content of the file that was given
	OutcomeNotBegun    Outcome = "not-begun" // the run ended before this user's turn; nothing was touched
	OutcomeFailed      Outcome = "failed"    // see the error; the user is served by the side that served before, unless Open
)

// cleanupPending follows the outcome of a rollback that has only the Durable Object left to empty, as in
// "exported, cleanup pending".
const cleanupPending = ", cleanup pending"

// FlagChange is what has to be written to KV for a user.
type FlagChange struct {
	Put    *userdb.FlagMeta
	Delete bool
	// The same for the flag of split mode.
	PutSplit    *userdb.FlagMeta
	DeleteSplit bool
}

func (c FlagChange) Empty() bool { return c == FlagChange{} }

// Result is how a command ended for one user. Durations are of the operator's clock.
type Result struct {
	User    userdb.UserID
	Action  Action
	Outcome Outcome
	Reason  string // why a file was kept, or what a person should know
	Bytes   int64  // of the user's file
	Rows    int64
	Tables  int
	Claim   userdb.Claim
	// ETag is the version of the file that migrate looked at; "" when it came to none.
	ETag userdb.ETag
	// Quarantine is why that version is not tried again.
	Quarantine userdb.Kind
	Took       time.Duration
	// Window is how long the application's writes had to wait, from the fence (or the seal) to the switch.
	Window time.Duration
	// Open says that the command stopped between fence and switch and could not take it back: writes wait
	// until a command is run again.
	Open bool
	// CleanupPending says that the file serves the user again, and that emptying the Durable Object failed.
	CleanupPending bool
	// StopsRun says that the failure is the operator's own, such as a token that may not write: every other
	// user would meet it.
	StopsRun bool
	// Writes are the application's write transactions since the migration, for verify.
	Writes int64
	// Changes are the tables that differ, for verify.
	Changes []wire.TableDigest
	// Differences name what differs, for verify.
	Differences []string
	// Warnings are what migrate and rollback moved and the other side cannot use.
	Warnings []sqlitefile.Problem
	// FreedBytes is what gc freed.
	FreedBytes int64

	// LeftBehind is where R2 has what --discard-writes left behind.
	LeftBehind userdb.ObjectKey
	// Archived is where gc put the file before it freed it.
	Archived userdb.ObjectKey
	// SavedTo is where backup has its copy, and Digest the database digest by which it was proved.
	SavedTo string
	Digest  string

	// The rest is for the program; none of it is printed.

	CameBack    bool // split: the user was brought back to the file first
	WasSplit    bool // rollback, verify: the user was split
	Unflag      bool // failed, and rolled back: the flag that was set before the switch goes
	Unfit       bool // migrate: the file itself was refused, before anything was claimed
	LeftFlag    bool // everything is done but the flag, and Failure says why
	Flag        FlagChange
	Receipt     *wire.Receipt // R2 shall have a copy of it
	ReceiptKept bool          // R2 has it already
	Failure     error         // see Err
}

// Err is the reason of a failure, nil otherwise.
func (r Result) Err() error { return r.Failure }

// FlagLeft says that everything was done but the user's flag, which decides nothing: the next run writes or
// deletes it.
func (r Result) FlagLeft() bool { return r.LeftFlag }

// End completes the result.
func (r *Result) End(took time.Duration, err error) Result {
	err = r.interrupted(err)
	r.Took, r.Failure = took, err
	if err != nil {
		if r.CleanupPending {
			r.Outcome += cleanupPending
			return *r
		}
		r.Outcome = OutcomeFailed
		if m := (*Mismatch)(nil); errors.As(err, &m) {
			r.Differences = m.Lines
		}
		if r.Action == ActionVerify && userdb.KindOf(err) == userdb.Mismatch {
			r.Outcome = OutcomeDifferent
		}
		r.Flag = FlagChange{Delete: r.Unflag}
	}
	return *r
}

// interrupted gives an end by the operator, or by a deadline, its kind, where the step that met it had none.
func (r *Result) interrupted(err error) error {
	var known *userdb.Error
	ended := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	if !ended || errors.As(err, &known) {
		return err
	}
	return &userdb.Error{Op: string(r.Action), Thing: string(r.User), Kind: userdb.Interrupted, Err: err,
		Hint: "the same command goes on"}
}

// SetFlag asks for the flag of a user who is in the Durable Object.
func (r *Result) SetFlag(st wire.Status) {
	r.Claim, r.Receipt = st.Gen, st.Receipt
	r.Flag = FlagChange{Put: flagMeta(st)}
}

// SetSplitFlag asks for the flag of a user who is split. No other flag may say that the user is whole in the
// Durable Object.
func (r *Result) SetSplitFlag(st wire.Status) {
	r.Claim, r.Receipt = st.Gen, st.Receipt
	r.Flag = FlagChange{PutSplit: flagMeta(st), Delete: true}
}

func flagMeta(st wire.Status) *userdb.FlagMeta {
	meta := &userdb.FlagMeta{Version: userdb.FlagMetaVersion, Lineage: st.Lin, Gen: st.Gen}
	if st.Receipt != nil {
		meta.At, meta.Run, meta.Bytes = st.Receipt.MigratedAt, st.Receipt.Run, st.Receipt.SourceBytes
	}
	return meta
}

// DropFlag takes the flag of a user away who is in R2. Nobody who is served there needs to have had a
// split's.
func (r *Result) DropFlag() {
	r.Flag = FlagChange{Delete: true, DeleteSplit: r.WasSplit || r.Outcome == OutcomeNothing}
}

// Serves says whether the user is moved, whatever could not be written about it. Nobody else has a fence of
// this migrate to look at.
func (r Result) Serves() bool {
	return r.Outcome == OutcomeMigrated || r.Outcome == OutcomeAlready || r.Outcome == OutcomeResumed
}

// With makes a result fail that has not failed yet. Its outcome stays: the user is moved.
func (r Result) With(err error) Result {
	if r.Failure == nil {
		r.Failure = err
	}
	return r
}

func (r *Result) AddReason(reason string) { r.Reason = AndReason(r.Reason, reason) }

// AndReason is one text of what was said before, if anything was, and one reason more.
func AndReason(before, reason string) string {
	if before == "" {
		return reason
	}
	return before + "; " + reason
}

// resultJSON is the promised shape (docs/scripting.md).
type resultJSON struct {
	User        userdb.UserID        `json:"user"`
	Action      Action               `json:"action"`
	Outcome     Outcome              `json:"outcome"`
	Reason      string               `json:"reason,omitempty"`
	Bytes       int64                `json:"bytes"`
	Rows        int64                `json:"rows,omitempty"`
	Tables      int                  `json:"tables,omitempty"`
	Claim       userdb.Claim         `json:"claim,omitempty"`
	TookMs      int64                `json:"tookMs"`
	WindowMs    *int64               `json:"windowMs,omitempty"`
	Open        bool                 `json:"open,omitempty"`
	Writes      int64                `json:"writes,omitempty"`
	Changes     []wire.TableDigest   `json:"changes,omitempty"`
	Differences []string             `json:"differences,omitempty"`
	Warnings    []sqlitefile.Problem `json:"warnings,omitempty"`
	FreedBytes  int64                `json:"freedBytes,omitempty"`
	LeftBehind  userdb.ObjectKey     `json:"leftBehind,omitempty"`
	Archived    userdb.ObjectKey     `json:"archived,omitempty"`
	SavedTo     string               `json:"savedTo,omitempty"`
	Digest      string               `json:"digest,omitempty"`
	Quarantine  userdb.Kind          `json:"quarantine,omitempty"`
	ETag        userdb.ETag          `json:"etag,omitempty"`
	FlagLeft    bool                 `json:"flagLeft,omitempty"`
	Cleanup     bool                 `json:"cleanupPending,omitempty"`
	Error       *ErrorJSON           `json:"error,omitempty"`
}

// ErrorJSON is why a user failed, in the promised shape.
type ErrorJSON struct {
	userdb.ErrorJSON
	Reasons []sqlitefile.Problem `json:"reasons,omitempty"` // why the database cannot be moved as it is
}

// MarshalJSON writes the promised shape.
func (r Result) MarshalJSON() ([]byte, error) {
	out := resultJSON{
		User:        r.User,
		Action:      r.Action,
		Outcome:     r.Outcome,
		Reason:      r.Reason,
		Bytes:       r.Bytes,
		Rows:        r.Rows,
		Tables:      r.Tables,
		Claim:       r.Claim,
		TookMs:      r.Took.Milliseconds(),
		Open:        r.Open,
		Writes:      r.Writes,
		Changes:     r.Changes,
		Differences: r.Differences,
		Warnings:    r.Warnings,
		FreedBytes:  r.FreedBytes,
		LeftBehind:  r.LeftBehind,
		Archived:    r.Archived,
		SavedTo:     r.SavedTo,
		Digest:      r.Digest,
		FlagLeft:    r.LeftFlag,
		Cleanup:     r.CleanupPending,
	}
	if r.Quarantine != "" {
		out.Quarantine, out.ETag = r.Quarantine, r.ETag
	}
	if r.Window > 0 {
		ms := r.Window.Milliseconds()
		out.WindowMs = &ms
	}
	if r.Failure != nil {
		out.Error = errorOf(r.Failure)
	}
	return json.Marshal(out)
}

func errorOf(err error) *ErrorJSON {
	return &ErrorJSON{ErrorJSON: userdb.ErrorOf(err), Reasons: sqlitefile.ProblemsOf(err)}
}
