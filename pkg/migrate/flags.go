package migrate

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// flagQueue gathers the flag changes of many users into few bulk calls. A user is safe whatever his flag says, so it may lag; but a
// command reports a user only once his flag is written. One call is under way at a time: what comes meanwhile goes into the next one.
type flagQueue struct {
	flags, split Flags

	mu      sync.Mutex
	waiting []queuedFlag
	coming  int // users who may still queue a change
	timer   *time.Timer
	delay   time.Duration
	writing bool
}

type queuedFlag struct {
	user   userdb.UserID
	change FlagChange
	done   chan error
}

const (
	// flagDelay is how long the first change waits for company; each call doubles the wait up to mostFlagDelay. A short run has its flags at once,
	// and a long one asks the Cloudflare API, which allows 1,200 calls in five minutes for the whole account, for six calls a minute.
	flagDelay     = time.Second
	mostFlagDelay = 10 * time.Second
	// flagBatch is when a change no longer waits: bulk calls take up to 10,000 pairs (developers.cloudflare.com/kv/api). A client whose server is slow
	// for each key sends smaller pieces by itself.
	flagBatch = 10_000
)

// newFlagQueue says how many users will come; the queue does not wait for company that cannot come.
func newFlagQueue(flags, split Flags, users int) *flagQueue {
	return &flagQueue{flags: flags, split: split, coming: users, delay: flagDelay}
}

// forgo takes back the expectation of users who will not come after all.
func (q *flagQueue) forgo(ctx context.Context, users int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.coming -= users
	q.arrange(ctx)
}

// leave queues the change of a user who is done with everything else, and waits until it is written.
func (q *flagQueue) leave(ctx context.Context, u userdb.UserID, change FlagChange) error {
	q.mu.Lock()
	q.coming--
	var done chan error
	if !change.empty() {
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

func (q *flagQueue) write(ctx context.Context, batch []queuedFlag) {
	whole := writeFlags(ctx, q.flags, batch, func(c FlagChange) (*userdb.FlagMeta, bool) { return c.Put, c.Delete })
	split := writeFlags(ctx, q.split, batch, func(c FlagChange) (*userdb.FlagMeta, bool) { return c.PutSplit, c.DeleteSplit })
	for _, f := range batch {
		f.done <- errors.Join(whole(f.change), split(f.change))
	}
}

// writeFlags writes what the batch changes in flags of one kind. It returns what became of a change.
func writeFlags(ctx context.Context, flags Flags, batch []queuedFlag, of func(FlagChange) (put *userdb.FlagMeta, del bool)) func(FlagChange) error {
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
	return func(c FlagChange) error {
		switch put, del := of(c); {
		case put != nil:
			return putErr
		case del:
			return deleteErr
		}
		return nil
	}
}
