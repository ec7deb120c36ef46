package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/concurrency"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Crew works on many users at once with one engine.
type Crew struct {
	Engine *migrate.Engine
	// Limiter decides how many users are in flight; nil: as many as the engine's Concurrency.
	Limiter *concurrency.Limiter
	// Ready returns when a user may be begun, or why nobody may any more; nil: at once.
	Ready func(context.Context) error
}

// Each is Crew.Each for callers with nobody to report overload to.
func Each(
	ctx context.Context,
	e *migrate.Engine,
	users []userdb.UserID,
	action result.Action,
	do func(context.Context, userdb.UserID) result.Result,
	done func(result.Result),
) {
	Crew{Engine: e}.Each(ctx, users, action, do, done)
}

// Each runs do for every user, as many at a time as the Limiter lets, writes their receipts and, in bulk,
// their flags, and hands each account to done, one at a time. One user's failure never stops the others. When
// ctx ends, users who have not begun come back as Interrupted, untouched.
func (c Crew) Each(
	ctx context.Context,
	users []userdb.UserID,
	action result.Action,
	do func(context.Context, userdb.UserID) result.Result,
	done func(result.Result),
) {
	c.EachThen(
		ctx,
		users,
		action,
		do,
		func(_ context.Context, r result.Result) result.Result { return r },
		done,
	)
}

// EachThen is Each with one more step for each user, which comes after the flag and may take its time: it
// holds up no other user.
func (c Crew) EachThen(
	ctx context.Context,
	users []userdb.UserID,
	action result.Action,
	do func(context.Context, userdb.UserID) result.Result,
	then func(context.Context, result.Result) result.Result,
	done func(result.Result),
) {
	queue := newFlagQueue(c.Engine.Flags, c.Engine.SplitFlags, len(users), action)
	var (
		wg      sync.WaitGroup
		report  sync.Mutex
		slots   = c.limiter()
		account = func(r result.Result) {
			report.Lock()
			defer report.Unlock()
			done(r)
		}
	)
	for i, u := range users {
		if c.turn(ctx, slots) != nil {
			queue.forgo(context.WithoutCancel(ctx), len(users)-i)
			for _, rest := range users[i:] {
				account(interrupted(rest, action))
			}
			break
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			ended := false
			defer c.leaveNothing(&ended)
			r := do(ctx, u)
			slots.Release()
			account(then(ctx, c.writeFlag(ctx, queue, c.Engine.KeepReceipt(ctx, r))))
			ended = true
		}()
	}
	wg.Wait()
}

// turn takes a place, in which the next user may be begun.
func (c Crew) turn(ctx context.Context, slots *concurrency.Limiter) error {
	err := slots.Acquire(ctx)
	if err != nil || c.Ready == nil {
		return err
	}
	if err = c.Ready(ctx); err != nil {
		slots.Release()
	}
	return err
}

// leaveNothing removes the spooled files when a goroutine panics, which ends the process without asking any
// other. It does not recover: the trace stays whole.
func (c Crew) leaveNothing(ended *bool) {
	if !*ended && c.Engine.Scratch != nil {
		_ = c.Engine.Scratch.Remove() // what is left, the next run sweeps
	}
}

func (c Crew) limiter() *concurrency.Limiter {
	if c.Limiter != nil {
		return c.Limiter
	}
	return concurrency.NewLimiter(c.Engine.Concurrency)
}

// writeFlag ends a user's account with the flag. The switch is done: a flag that cannot be written costs
// latency, not data. But it is work that is left, so it fails the account.
func (c Crew) writeFlag(ctx context.Context, q *flagQueue, r result.Result) result.Result {
	begun := time.Now()
	err := q.leave(context.WithoutCancel(ctx), r.User, r.Flag)
	if c.Engine.Observe != nil {
		c.Engine.Observe(result.Event{User: r.User, Stage: result.StageFlag, Took: time.Since(begun)})
	}
	if err != nil && r.Unflag { // the flag that was set ahead keeps the user's writes away from the old path
		r.LeftFlag, r.Open = true, true
		r.AddReason(
			fmt.Sprintf(
				"the flag that was set before the switch could not be deleted, and sends writes to a router that does not save the file: %v",
				err,
			),
		)
	}
	if err != nil && r.Failure == nil { // a user who failed has a better reason
		r.LeftFlag = true
		op, hint := "write the flag of", "the user is served all the same; run the command again to write the flag"
		if r.Flag.Delete && r.Flag.PutSplit == nil {
			op, hint = "delete the flag of", "the file serves the user all the same; run the command again to delete the flag"
		}
		if r.Action == result.ActionForget {
			hint = "everything else of the user is deleted; run the command again to delete the flag"
		}
		r.Failure = &userdb.Error{
			Op:    op,
			Thing: string(r.User),
			Kind:  userdb.KindOf(err),
			Err:   err,
			Hint:  hint,
		}
	}
	return r
}

func interrupted(u userdb.UserID, action result.Action) result.Result {
	return result.Result{User: u, Action: action, Outcome: result.OutcomeNotBegun,
		Failure: &userdb.Error{
			Op:    string(action),
			Thing: string(u),
			Kind:  userdb.Interrupted,
			Err:   errors.New("not begun"),
			Hint:  "run the command again",
		}}
}
