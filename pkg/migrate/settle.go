package migrate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// settlesAtOnce bounds how many fences are looked at together; waiting takes no place.
const settlesAtOnce = 16

// Settle returns the last step of a migrate beside unconditional writers. Their requests were waited for
// before the switch; this is the look for one that took longer than the operator said. A file without the
// fence was overwritten: what was acknowledged then is in the file only. Both copies are kept, and the
// result says so. Users settle side by side. When ctx ends the look comes at once, and the result fails
// with Interrupted: a later save would not have been seen.
func (e *Engine) Settle(p Procedure) func(context.Context, result.Result) result.Result {
	places := make(chan struct{}, settlesAtOnce)
	return func(ctx context.Context, r result.Result) result.Result {
		if !r.Serves() && !userfile.IsOverwritten(r.Failure) {
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
	return &userdb.Error{
		Op:    "look for an overwritten file of",
		Thing: string(u),
		Kind:  userdb.Interrupted,
		Err:   errors.New("the look for overwritten files came early"),
		Hint:  "run the command again",
	}
}

func (e *Engine) settle(ctx context.Context, r result.Result) result.Result {
	err := r.Failure
	if !userfile.IsOverwritten(err) {
		err = e.fenceHolds(ctx, r)
	}
	if !userfile.IsOverwritten(err) {
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

// fenceHolds looks whether the file is what this migrate left. If a newer command has claimed the user, that
// command looks after the user.
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
		return userfile.FenceGone(r.User, file, st)
	}
	return userfile.Untouched(r.User, file, st)
}

// keepOverwritten copies the object aside, where no writer reaches it. The same content is kept once. An
// absent one has nothing to keep.
func (e *Engine) keepOverwritten(ctx context.Context, u userdb.UserID) (userdb.ObjectKey, error) {
	file, err := e.download(ctx, u)
	if userdb.KindOf(err) == userdb.NotFound {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	defer file.Remove()
	key := userdb.ObjectKey(
		fmt.Sprintf(
			"%s%s.sqlite",
			OverwrittenOf(u),
			strings.Trim(string(file.ETag), `"`),
		),
	)
	err = file.PutAt(ctx, e.Files, key, userdb.PutOptions{IfNoneMatch: true, ContentType: file.ContentType})
	if err != nil && userdb.KindOf(err) != userdb.Precondition {
		return "", err
	}
	return key, nil
}
