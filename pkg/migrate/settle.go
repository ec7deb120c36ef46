package migrate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// settlesAtOnce bounds how many fences are looked at together; waiting takes no place.
const settlesAtOnce = 16

// Settle returns the last step of a migrate beside unconditional writers. Their requests were waited for before the switch; this is the look for one that
// took longer than the operator said. A file without the fence was overwritten: what was acknowledged then is in the file only. Both copies
// are kept, and the account says so. Users settle side by side. When ctx ends the look comes at once, and the account fails with Interrupted:
// a later save would not have been seen.
func (e *Engine) Settle(p Procedure) func(context.Context, result.Result) result.Result {
	places := make(chan struct{}, settlesAtOnce)
	return func(ctx context.Context, r result.Result) result.Result {
		if !r.Serves() && !isOverwritten(r.Failure) {
			return r
		}
		early := r.Serves() && !pause(ctx, p.LongestRequest)
		places <- struct{}{}
		defer func() { <-places }()
		r = e.settle(context.WithoutCancel(ctx), r)
		if early {
			r = r.With(lookedEarly(r.User))
		}
		return r
	}
}

func lookedEarly(u userdb.UserID) error {
	return &userdb.Error{Op: "look for an overwritten file of", Thing: string(u), Kind: userdb.Interrupted, Err: errors.New("the look for overwritten files came early"),
		Hint: "run the command again"}
}

func (e *Engine) settle(ctx context.Context, r result.Result) result.Result {
	err := r.Failure
	if !isOverwritten(err) {
		err = e.fenceHolds(ctx, r)
	}
	if !isOverwritten(err) {
		return r.With(err)
	}
	r.Outcome, r.Failure = result.OutcomeOverwritten, err
	kept, err := e.keepOverwritten(ctx, r.User)
	if err != nil {
		r.Failure = fmt.Errorf("%w; and its present content could not be kept aside: %w", r.Failure, err)
	} else if kept != "" {
		r.AddReason(fmt.Sprintf("what the file holds now is kept as %s", kept))
	}
	return r
}

// fenceHolds looks whether the file is what this migrate left. A user whom a newer command has claimed is that one's to look after.
func (e *Engine) fenceHolds(ctx context.Context, r result.Result) error {
	file, err := e.look(ctx, r.User)
	if err != nil {
		return err
	}
	st, err := e.Stores.Status(ctx, r.User)
	if err != nil || st.Gen != r.Claim {
		return err
	}
	if !file.FencedBy(st.Lin) {
		return fenceGone(r.User, file, st)
	}
	return untouched(r.User, file, st)
}

// untouched demands of a file that carries the fence of this lineage that nobody saved it since: what was acknowledged then is in the file only.
func untouched(u userdb.UserID, file userfile.Version, st wire.Status) error {
	if !file.FencedBy(st.Lin) || !changedUnderFence(file, st.Receipt) {
		return nil
	}
	return overwritten(u, fmt.Errorf("%s carries the fence, but was saved again since: a writer kept its mark and not its write version", file.Key))
}

// changedUnderFence: some SQLite builds write the versions of the header anew when they export a database, and so take the fence's lock off
// but not its mark.
func changedUnderFence(file userfile.Version, receipt *wire.Receipt) bool {
	if file.Tombstone() {
		return false
	}
	ours := receipt != nil && file.Non == receipt.Claim
	return !file.Locked || ours && file.ETag != receipt.FencedETag
}

// errOverwritten marks the conflict of a file that something other than dbmigrate wrote or deleted behind its fence.
var errOverwritten = errors.New("something other than dbmigrate wrote or deleted it")

func isOverwritten(err error) bool { return errors.Is(err, errOverwritten) }

func overwritten(u userdb.UserID, cause error) error {
	return &userdb.Error{Op: "check the fence of", Thing: string(u), Kind: userdb.Conflict, Err: fmt.Errorf("%w: %w", cause, errOverwritten),
		Hint: "the Durable Object's data is untouched; see docs/runbook.md, \"The fence is gone\""}
}

// keepOverwritten copies the object aside, where no writer reaches it. The same content is kept once. An absent one has nothing to keep.
func (e *Engine) keepOverwritten(ctx context.Context, u userdb.UserID) (userdb.ObjectKey, error) {
	file, err := e.download(ctx, u)
	if userdb.KindOf(err) == userdb.NotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer file.Remove()
	key := userdb.ObjectKey(fmt.Sprintf("%soverwritten/%s/%s.sqlite", userdb.ReservedPrefix, u, strings.Trim(string(file.ETag), `"`)))
	err = file.PutAt(ctx, e.Files, key, userdb.PutOptions{IfNoneMatch: true, ContentType: file.ContentType})
	if err != nil && userdb.KindOf(err) != userdb.Precondition {
		return "", err
	}
	return key, nil
}
