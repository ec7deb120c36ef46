package fleet

import (
	"cmp"
	"context"
	"errors"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// flagQueue gathers the flag changes of many users into few bulk calls. A user is safe whatever the flag
// says, so it may lag; but a command reports a user only once the flag is written. One call is under way at a
// time: what comes meanwhile goes into the next one.
type flagQueue struct {
	flags, split migrate.Flags
	// patience bounds how long a call of so many users may take; nil: as long as the client tries.
	patience func(users int) time.Duration
	down     error // why the last call failed, when the service itself was the reason; one call at a time sets it

	mu      sync.Mutex
	waiting []queuedFlag
	coming  int // users who may still queue a change
	timer   *time.Timer
	delay   time.Duration
	writing bool
}

type queuedFlag struct {
	user   userdb.UserID
	change result.FlagChange
	done   chan error
}

const (
	// flagDelay is how long the first change waits for company; each call doubles the wait up to
	// mostFlagDelay. A short run has its flags at once, and a long one asks the Cloudflare API, which allows
	// 1,200 calls in five minutes for the whole account, for six calls a minute.
	flagDelay     = time.Second
	mostFlagDelay = 10 * time.Second
	// flagBatch is when a change no longer waits: bulk calls take up to 10,000 pairs
	// (developers.cloudflare.com/kv/api). If the server is slow for each key, the client sends smaller pieces
	// by itself.
	flagBatch = 10_000
	// flagProbe is how long a service that was down may take for one user's flag, before the others are sent.
	flagProbe = 5 * time.Second
	// flagRollback is how long a rollback tries to delete flags: the users are back, and the operator waits.
	// Slow servers need flagRollbackEach more for each flag.
	flagRollback     = 30 * time.Second
	flagRollbackEach = 20 * time.Millisecond
)

func rollbackPatience(users int) time.Duration {
	return flagRollback + time.Duration(users)*flagRollbackEach
}

// newFlagQueue says how many users will come; the queue does not wait for company that cannot come.
func newFlagQueue(flags, split migrate.Flags, users int, action result.Action) *flagQueue {
	q := &flagQueue{flags: flags, split: split, coming: users, delay: flagDelay}
	if action == result.ActionRollback {
		q.patience = rollbackPatience
	}
	return q
}

// forgo takes back the expectation of users who will not come after all.
func (q *flagQueue) forgo(ctx context.Context, users int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.coming -= users
	q.arrange(ctx)
}

// leave queues the change of a user who is done with everything else, and waits until it is written.
func (q *flagQueue) leave(ctx context.Context, u userdb.UserID, change result.FlagChange) error {
	q.mu.Lock()
	q.coming--
	var done chan error
	if !change.Empty() {
		done = make(chan error, 1)
		q.waiting = append(q.waiting, queuedFlag{u, change, done})
	}
	q.arrange(ctx)
	q.mu.Unlock()
	if done == nil {
		return nil
	}
	return <-done
}

// arrange sees to it that what waits is written, now or later. The caller holds the lock.
func (q *flagQueue) arrange(ctx context.Context) {
	switch {
	case len(q.waiting) == 0 || q.writing:
	case q.coming == 0 || len(q.waiting) >= flagBatch:
		q.flush(ctx)
	case q.timer == nil:
		q.timer = time.AfterFunc(q.delay, func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			q.flush(ctx)
		})
	}
}

// flush sends what waits. The caller holds the lock.
func (q *flagQueue) flush(ctx context.Context) {
	if q.timer != nil {
		q.timer.Stop()
		q.timer = nil
	}
	if q.writing || len(q.waiting) == 0 {
		return
	}
	n := min(len(q.waiting), flagBatch)
	batch := q.waiting[:n:n]
	q.waiting = q.waiting[n:]
	q.writing = true
	go func() {
		q.write(ctx, batch)
		q.mu.Lock()
		defer q.mu.Unlock()
		q.writing = false
		q.delay = min(2*q.delay, mostFlagDelay)
		q.arrange(ctx)
	}()
}

// write sends the batch. After a call that found the service down, one user's flag is sent first, for a short
// time: the others do not wait for retries that were made in vain a moment ago.
func (q *flagQueue) write(ctx context.Context, batch []queuedFlag) {
	if q.down != nil {
		if q.send(ctx, batch[:1], flagProbe)[0] != nil {
			for _, f := range batch {
				f.done <- q.down
			}
			return
		}
		q.down = nil
		batch[0].done <- nil
		batch = batch[1:]
	}
	limit := time.Duration(0)
	if q.patience != nil {
		limit = q.patience(len(batch))
	}
	for i, err := range q.send(ctx, batch, limit) {
		if isDown(err) {
			q.down = &userdb.Error{
				Op:    "write flags",
				Thing: "KV",
				Kind:  userdb.KindOf(err),
				Err:   causeOf(err),
				Hint:  hintOf(err),
			}
		}
		batch[i].done <- err
	}
}

// isDown says whether a call failed because of the service, so that it would fail for every other user, too.
func isDown(err error) bool {
	switch userdb.KindOf(err) {
	case userdb.Unreachable, userdb.Throttled, userdb.Unauthorized:
		return true
	}
	return false
}

// causeOf drops the names of the users of one call, which say nothing to the users of another.
func causeOf(err error) error {
	var e *userdb.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

func hintOf(err error) string {
	var e *userdb.Error
	if errors.As(err, &e) {
		return e.Hint
	}
	return ""
}

// send makes the batch's calls, within the limit if there is one, and says of each user what became of the
// flag.
func (q *flagQueue) send(ctx context.Context, batch []queuedFlag, limit time.Duration) []error {
	if limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	whole := writeFlags(
		ctx,
		q.flags,
		batch,
		func(c result.FlagChange) (*userdb.FlagMeta, bool) { return c.Put, c.Delete },
	)
	split := writeFlags(
		ctx,
		q.split,
		batch,
		func(c result.FlagChange) (*userdb.FlagMeta, bool) { return c.PutSplit, c.DeleteSplit },
	)
	errs := make([]error, len(batch))
	for i, f := range batch {
		errs[i] = cmp.Or(whole(f), split(f))
	}
	return errs
}

// unwritten is an error that knows which users' flags are left; those of all others in the call are written.
type unwritten interface{ Unwritten() []userdb.UserID }

// failureOf says of each user of a call that failed whether the flag is left.
func failureOf(err error) func(userdb.UserID) error {
	var some unwritten
	if !errors.As(err, &some) {
		return func(userdb.UserID) error { return err }
	}
	left := map[userdb.UserID]bool{}
	for _, u := range some.Unwritten() {
		left[u] = true
	}
	return func(u userdb.UserID) error {
		if left[u] {
			return err
		}
		return nil
	}
}

// writeFlags writes what the batch changes in flags of one kind. It returns what became of a change.
func writeFlags(
	ctx context.Context,
	flags migrate.Flags,
	batch []queuedFlag,
	of func(result.FlagChange) (put *userdb.FlagMeta, del bool),
) func(queuedFlag) error {
	var puts []userdb.Flag
	var deletes []userdb.UserID
	for _, f := range batch {
		if put, del := of(f.change); put != nil {
			puts = append(puts, userdb.Flag{User: f.user, Meta: *put})
		} else if del {
			deletes = append(deletes, f.user)
		}
	}
	var putErr, deleteErr error
	if flags == nil {
		puts, deletes = nil, nil // nobody keeps flags of this kind
	}
	if len(puts) > 0 {
		putErr = flags.Put(ctx, puts)
	}
	if len(deletes) > 0 {
		deleteErr = flags.Delete(ctx, deletes)
	}
	putFailed, deleteFailed := failureOf(putErr), failureOf(deleteErr)
	return func(f queuedFlag) error {
		switch put, del := of(f.change); {
		case put != nil:
			return putFailed(f.user)
		case del:
			return deleteFailed(f.user)
		}
		return nil
	}
}
