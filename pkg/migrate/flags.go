package migrate

import (
	"context"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// flagQueue gathers the flag changes of many users into few bulk calls. A user is safe whatever his flag says, so it may lag; but a
// command reports a user only once his flag is written.
type flagQueue struct {
	flags Flags

	mu      sync.Mutex
	waiting []queuedFlag
	coming  int // users who may still queue a change
	timer   *time.Timer
}

type queuedFlag struct {
	user   userdb.UserID
	change FlagChange
	done   chan error
}

const (
	// flagDelay is how long a change waits for company.
	flagDelay = time.Second
	// flagBatch is when it no longer waits. Bulk calls take up to 10,000 pairs; wrangler itself sends 1,000.
	flagBatch = 1000
)

// newFlagQueue says how many users will come; the queue does not wait for company that cannot come.
func newFlagQueue(flags Flags, users int) *flagQueue { return &flagQueue{flags: flags, coming: users} }

// forgo takes back the expectation of users who will not come after all.
func (q *flagQueue) forgo(ctx context.Context, users int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.coming -= users
	if q.coming == 0 {
		q.flushLocked(ctx)
	}
}

// leave queues the change of a user who is done with everything else, and waits until it is written.
func (q *flagQueue) leave(ctx context.Context, u userdb.UserID, change FlagChange) error {
	q.mu.Lock()
	q.coming--
	var done chan error
	if change.Put != nil || change.Delete {
		done = make(chan error, 1)
		q.waiting = append(q.waiting, queuedFlag{u, change, done})
	}
	switch {
	case len(q.waiting) == 0:
	case q.coming == 0 || len(q.waiting) >= flagBatch:
		q.flushLocked(ctx)
	case q.timer == nil:
		q.timer = time.AfterFunc(flagDelay, func() {
			q.mu.Lock()
			defer q.mu.Unlock()
			q.flushLocked(ctx)
		})
	}
	q.mu.Unlock()
	if done == nil {
		return nil
	}
	return <-done
}

func (q *flagQueue) flushLocked(ctx context.Context) {
	if q.timer != nil {
		q.timer.Stop()
		q.timer = nil
	}
	batch := q.waiting
	q.waiting = nil
	if len(batch) > 0 {
		go q.write(ctx, batch)
	}
}

func (q *flagQueue) write(ctx context.Context, batch []queuedFlag) {
	var puts []userdb.Flag
	var deletes []userdb.UserID
	for _, f := range batch {
		if f.change.Put != nil {
			puts = append(puts, userdb.Flag{User: f.user, Meta: *f.change.Put})
		} else {
			deletes = append(deletes, f.user)
		}
	}
	var putErr, deleteErr error
	if len(puts) > 0 {
		putErr = q.flags.Put(ctx, puts)
	}
	if len(deletes) > 0 {
		deleteErr = q.flags.Delete(ctx, deletes)
	}
	for _, f := range batch {
		if f.change.Put != nil {
			f.done <- putErr
		} else {
			f.done <- deleteErr
		}
	}
}
