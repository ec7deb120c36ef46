package migrate

import (
	"context"
	"fmt"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/backoff"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// Writers says how the least careful of the application's writers saves a user's file (docs/cutover.md,
// "Writers that know nothing of this").
type Writers string

// The writers that a migrate can be told of.
const (
	WritersFenceAware    Writers = "fence-aware"   // they look at the fence and save conditionally, as the router does
	WritersConditional   Writers = "conditional"   // they save on condition of the ETag that they read, and know no fence
	WritersUnconditional Writers = "unconditional" // they save whatever is there by then
)

// Procedure is how a migrate treats writers that know no fence. Beside conditional ones: route first, wait,
// and fence then. Beside unconditional ones: fence first, wait for those that loaded before the fence, and
// switch then; the router never saves a file there.
type Procedure struct {
	Writers Writers
	// KVWindow is how long an old flag may still be read anywhere; LongestRequest how long a request may take
	// from its read of the file to its save, whether that is answered or not. A request that began at the
	// file is over when both have passed since the flag was set, and one that loaded before the fence when
	// the second has passed since that.
	KVWindow, LongestRequest time.Duration
}

// Routes says whether users are sent to their Durable Object before it has their data. It asks the file then,
// so nothing waits.
func (p Procedure) Routes() bool {
	return p.Writers == WritersConditional
}

// Outwaits says whether the requests that loaded before the fence have to end before the Durable Object may
// serve.
func (p Procedure) Outwaits() bool { return p.Writers == WritersUnconditional }

// Settles says whether the fence is looked at once more when everything that could overwrite it has ended.
func (p Procedure) Settles() bool { return p.Writers == WritersUnconditional }

// Wait is, after routing, how long it takes until the last request that did not see the flag is over.
func (p Procedure) Wait() time.Duration { return p.KVWindow + p.LongestRequest }

// Route sets the flags of users with an authoritative file, in bulk, so that their requests go through the
// router before the file is fenced. It goes by Place, which has to be what the file says: KV's list may still
// show a flag that was just deleted. The flag of a user who is in the Durable Object, or on the way there, is
// not touched. A flag before its time costs a request one more hop.
func (e *Engine) Route(ctx context.Context, users []inspect.Found) (routed int, err error) {
	var flags []userdb.Flag
	for _, f := range users {
		if f.Place == inspect.PlaceFile {
			flags = append(
				flags,
				userdb.Flag{User: f.User, Meta: userdb.FlagMeta{Version: userdb.FlagMetaVersion, Run: e.Run}},
			)
		}
	}
	if len(flags) == 0 {
		return 0, nil
	}
	if err := e.Flags.Put(ctx, flags); err != nil {
		return 0, &userdb.Error{
			Op:   "route users to their Durable Objects",
			Kind: userdb.KindOf(err),
			Err:  err,
			Hint: "no file was touched; run the command again, or take the flags away with rollback",
		}
	}
	return len(flags), nil
}

// Unroute takes the flag of a routed user away again who stays on the file: one who failed, or was passed
// over.
func (e *Engine) Unroute(ctx context.Context, r result.Result) result.Result {
	mayStay := r.Failure != nil && !r.Open || r.Outcome == result.OutcomeQuarantined
	if !mayStay {
		return r
	}
	st, err := e.Stores.Status(ctx, r.User)
	var file userfile.Version
	if err == nil {
		file, err = e.look(ctx, r.User)
	}
	serves, _, _ := userfile.Serves(st, file)
	switch {
	case err != nil:
		r.AddReason(fmt.Sprintf("the flag that routed the user was left, which costs a hop: %v", err))
	case serves == userfile.SideFile:
		r.DropFlag()
	}
	return r
}

// pause waits, and says whether it was left to wait to the end.
func pause(ctx context.Context, d time.Duration) bool { return backoff.Sleep(ctx, d) == nil }

// Pause waits, together for all users, until requests that have not seen their flag are over. It ends early
// with ctx, and nothing is lost then: the same command begins with it again.
func (p Procedure) Pause(ctx context.Context) { pause(ctx, p.Wait()) }

// ParseWriters reads the value of --writers. Errors are of kind Usage.
func ParseWriters(text string) (Writers, error) {
	switch w := Writers(text); w {
	case WritersFenceAware, WritersConditional, WritersUnconditional:
		return w, nil
	}
	return "", userdb.UsageError(fmt.Sprintf("--writers must be %s, %s or %s, not %q",
		WritersFenceAware, WritersConditional, WritersUnconditional, text), "", "", "")
}
