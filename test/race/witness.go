package race

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// epochSteps is how many requests each client makes before the user's clients meet and their history is checked: enough for cutovers to
// fall into it, few enough for the check to take no time.
const epochSteps = 25

// witness makes one user's requests and checks what they showed. When the user has lived long enough it goes on with a new one.
type witness struct {
	world *world
	place int
	user  userdb.UserID
	past  []past

	entries []int64            // the user's table at the end of the last epoch
	unknown map[int64]interval // writes of which nobody knows whether they happened, and that no epoch's end has shown

	mu     sync.Mutex
	nextOp int64
	epoch  epoch
}

// past is a user who has made room for another one.
type past struct {
	user    userdb.UserID
	entries []int64
	unknown map[int64]interval
}

func newWitness(w *world, place int) *witness { return &witness{world: w, place: place} }

// adopt turns to a new user.
func (w *witness) adopt(ctx context.Context) (err error) {
	if w.user != "" {
		w.past = append(w.past, past{w.user, w.entries, w.unknown})
	}
	w.entries, w.unknown, w.nextOp = nil, map[int64]interval{}, 0
	w.user, err = w.world.bear(ctx, w.place)
	return err
}

// run goes from epoch to epoch until ctx ends; then it checks the last one.
func (w *witness) run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := w.live(ctx); err != nil {
			return fmt.Errorf("%s: %w", w.user, err)
		}
		if len(w.entries) >= w.world.Retire && ctx.Err() == nil {
			if err := w.adopt(context.WithoutCancel(ctx)); err != nil {
				return err
			}
		}
	}
	return nil
}

// live is one epoch.
func (w *witness) live(ctx context.Context) error {
	w.epoch = epoch{start: state{n: int64(len(w.entries))}}
	if len(w.entries) > 0 {
		w.epoch.start.last = w.entries[len(w.entries)-1]
	}
	var clients sync.WaitGroup
	problems := make([]error, w.world.Clients)
	for c := range w.world.Clients {
		clients.Go(func() { problems[c] = w.client(ctx, c) })
	}
	clients.Wait()
	if err := errors.Join(problems...); err != nil {
		return err
	}
	return w.closeEpoch()
}

// client makes its share of an epoch's requests: three writes, then a read, and so on, each client at another place of that round.
func (w *witness) client(ctx context.Context, c int) error {
	for step := range epochSteps {
		if ctx.Err() != nil {
			return nil
		}
		var err error
		if (step+c)%4 == 3 {
			err = w.read(ctx, c)
		} else {
			err = w.write(ctx, c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// write makes one write and repeats it, under the same number, for as long as it is refused: "nothing was written" has to be true.
func (w *witness) write(ctx context.Context, c int) error {
	op := w.newOp()
	first := time.Now()
	severed := false
	for {
		called := time.Since(w.world.began)
		answer, err := w.world.append(w.user, op)
		seen := interval{called: called, returned: time.Since(w.world.began)}
		switch {
		case err != nil:
			return err
		case answer.outcome == applied:
			w.acknowledged(c, op, answer.ledger.n, seen)
			w.world.figure.wrote(time.Since(first), answer.byFile, severed)
			pauseAfter := w.world.Pause
			if answer.byFile {
				pauseAfter = w.world.FilePause
			}
			pause(ctx, stretched(pauseAfter, w.world.lead()))
			return nil
		case answer.outcome == unknown:
			w.mu.Lock()
			w.unknown[op] = seen
			w.mu.Unlock()
			w.world.figure.unknown.Add(1)
			return nil
		}
		if answer.outcome == notSent {
			severed = true
			time.Sleep(50 * time.Millisecond) // the runtime restarts
		} else {
			w.world.figure.refused.Add(1)
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

func (w *witness) read(ctx context.Context, c int) error {
	begun := time.Now()
	called := time.Since(w.world.began)
	answer, err := w.world.look(w.user)
	seen := interval{called: called, returned: time.Since(w.world.began)}
	if err != nil || answer.outcome != applied {
		return err
	}
	w.world.figure.didRead(time.Since(begun), answer.byFile)
	w.looked(c, answer.ledger, seen)
	pause(ctx, stretched(w.world.Pause, w.world.lead()))
	return nil
}

// pause waits for a random time, at most for longest or until ctx ends.
func pause(ctx context.Context, longest time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(rand.N(longest + 1)):
	}
}

func (w *witness) newOp() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.nextOp++
	return w.nextOp
}

func (w *witness) acknowledged(c int, op, n int64, seen interval) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.epoch.wrote(c, op, n, seen)
	w.world.figure.acknowledged.Add(1)
}

func (w *witness) looked(c int, seen ledger, when interval) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.epoch.read(c, seen, when)
}

// epochEndPatience is how long the end of an epoch waits for an answer: a restart takes seconds, an operator that died between fence and switch leaves
// reads untouched.
const epochEndPatience = 2 * time.Minute

// closeEpoch reads everything, now that no request is under way, and checks the epoch.
func (w *witness) closeEpoch() error {
	answer, seen, err := w.readAll(w.user)
	if err != nil {
		return err
	}
	w.epoch.read(w.world.Clients, answer.ledger, seen)
	return w.judge(answer.entries, answer.ledger)
}

// readAll reads a user's whole ledger, and repeats that while the runtime restarts.
func (w *witness) readAll(u userdb.UserID) (answer, interval, error) {
	for deadline := time.Now().Add(epochEndPatience); ; {
		called := time.Since(w.world.began)
		answer, err := w.world.readAll(u)
		seen := interval{called: called, returned: time.Since(w.world.began)}
		if err != nil || answer.outcome == applied {
			return answer, seen, err
		}
		if time.Now().After(deadline) {
			return answer, seen, fmt.Errorf("no read was answered for %v", epochEndPatience)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// judge compares what is there with what was acknowledged, and then asks for an order of events that explains all answers.
func (w *witness) judge(now []int64, at ledger) error {
	found := audit(w.entries, now, w.epoch.acknowledged, w.unknown)
	w.world.figure.found(found)
	if err := found.err(); err != nil {
		return err
	}
	if at.n != int64(len(now)) {
		return fmt.Errorf("the counter says %d and there are %d entries: half a transaction was applied", at.n, len(now))
	}
	for _, op := range found.appeared {
		w.epoch.happened(w.world.Clients, op, w.unknown[op])
		delete(w.unknown, op)
	}
	w.entries = now
	w.world.figure.epochs.Add(1)
	return w.epoch.check()
}

// lastLook counts the entries of all users of this place once more, long after the last of their writes.
func (w *witness) lastLook() error {
	for _, p := range append(w.past, past{w.user, w.entries, w.unknown}) {
		answer, _, err := w.readAll(p.user)
		if err != nil {
			return fmt.Errorf("%s: %w", p.user, err)
		}
		found := audit(p.entries, answer.entries, nil, p.unknown)
		w.world.figure.found(found)
		if err := found.err(); err != nil {
			return fmt.Errorf("%s at the end: %w", p.user, err)
		}
		w.world.figure.audited.Add(1)
	}
	return nil
}
