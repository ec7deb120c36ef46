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

// epochSteps is how many requests each client makes before the user's clients meet and their history is
// checked: enough for cutovers to fall into it, few enough for the check to take no time.
const epochSteps = 25

// firstSteps are those of the first epoch: a user may die after it, and a short race has to see that.
const firstSteps = 5

// witness makes one user's requests and checks what they showed. When the user has lived long enough it goes
// on with a new one.
type witness struct {
	world *world
	place int
	user  userdb.UserID
	past  []past

	books books

	mu     sync.Mutex
	nextOp int64
	epoch  epoch
	epochs int
	deaths int
}

// books are what is known of a user's parts.
type books struct {
	state   state              // at the end of the last epoch
	entries [parts][]int64     // then
	unknown [parts]uncertainty // that no epoch's end has shown
}

// uncertainty are writes that may have happened or not, and when they were sent.
type uncertainty map[int64]interval

// length is how many entries the user has.
func (b *books) length() (n int) {
	for _, entries := range b.entries {
		n += len(entries)
	}
	return n
}

// past is a user who has made room for another one.
type past struct {
	user  userdb.UserID
	books books
}

func newWitness(w *world, place int) *witness { return &witness{world: w, place: place} }

// adopt turns to a new user.
func (w *witness) adopt(ctx context.Context) (err error) {
	if w.user != "" {
		w.past = append(w.past, past{w.user, w.books})
	}
	w.books, w.nextOp = books{unknown: [parts]uncertainty{{}, {}}}, 0
	w.user, err = w.world.bear(ctx, w.place)
	return err
}

// run goes from epoch to epoch until ctx ends; then it checks the last one.
func (w *witness) run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := w.live(ctx); err != nil {
			return fmt.Errorf("%s (%s): %w", w.user, w.world.personOf(w.user).names, err)
		}
		if w.world.personOf(w.user).kept.Load() {
			continue
		}
		if w.isToDie() && ctx.Err() == nil {
			if err := w.die(context.WithoutCancel(ctx)); err != nil {
				return fmt.Errorf("%s (%s): %w", w.user, w.world.personOf(w.user).names, err)
			}
		}
		if w.books.length() >= w.world.Retire && ctx.Err() == nil {
			if err := w.adopt(context.WithoutCancel(ctx)); err != nil {
				return err
			}
		}
	}
	return nil
}

// live is one epoch.
func (w *witness) live(ctx context.Context) error {
	w.epoch = epoch{start: w.books.state}
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

// client makes its share of an epoch's requests: the deeds of the round, each client from another place of it
// on.
func (w *witness) client(ctx context.Context, c int) error {
	round := w.world.custom.round
	steps := epochSteps
	if w.epochs == 0 {
		steps = firstSteps
	}
	for n := range steps {
		if ctx.Err() != nil {
			return nil
		}
		if err := w.do(ctx, c, round[(n+c)%len(round)]); err != nil {
			return err
		}
	}
	return nil
}

func (w *witness) do(ctx context.Context, c int, s step) error {
	switch s.deed {
	case write:
		return w.write(ctx, c, s.part, w.world.append)
	case writeAnywhere:
		w.world.figure.anywhere.Add(1)
		return w.write(ctx, c, s.part, func(u userdb.UserID, p part, _ scope, op int64) (answer, error) {
			return w.world.appendAnywhere(u, p, op)
		})
	case look:
		return w.look(ctx, c, s.part)
	case lookMerged:
		return w.lookMerged(ctx, c)
	case locate:
		return w.locate(ctx, s.part)
	case copyBoth:
		return w.copyBoth(ctx, c)
	}
	return w.lookAtBoth(ctx, c)
}

// write makes one write and repeats it, under the same number, for as long as it is refused: "nothing was
// written" has to be true.
func (w *witness) write(
	ctx context.Context,
	c int,
	p part,
	send func(userdb.UserID, part, scope, int64) (answer, error),
) error {
	op := w.newOp()
	first := time.Now()
	severed := false
	for at := w.world.search(p); ; {
		called := time.Since(w.world.began)
		answer, err := send(w.user, p, at.scope, op)
		seen := interval{called: called, returned: time.Since(w.world.began)}
		switch {
		case err != nil:
			return err
		case answer.outcome == applied:
			w.acknowledged(c, p, op, answer.ledger.n, seen)
			w.world.figure.wrote(time.Since(first), answer.byFile, severed)
			pauseAfter := w.world.Pause
			if answer.byFile {
				pauseAfter = w.world.FilePause
			}
			pause(ctx, stretched(pauseAfter, w.world.lead()))
			return nil
		case answer.outcome == unknown:
			w.mu.Lock()
			w.books.unknown[p][op] = seen
			w.mu.Unlock()
			w.world.figure.unknown.Add(1)
			return nil
		case answer.outcome == elsewhere:
			if err := at.turn(); err != nil {
				return err
			}
		case answer.outcome == notSent:
			severed = true
			time.Sleep(50 * time.Millisecond) // the runtime restarts
		default:
			w.world.figure.refused.Add(1)
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

func (w *witness) look(ctx context.Context, c int, p part) error {
	for at := w.world.search(p); ; {
		begun := time.Now()
		called := time.Since(w.world.began)
		answer, err := w.world.look(w.user, p, at.scope)
		seen := interval{called: called, returned: time.Since(w.world.began)}
		if err == nil && answer.outcome == elsewhere {
			if err := at.turn(); err != nil {
				return err
			}
			continue
		}
		if err != nil || answer.outcome != applied {
			return err
		}
		w.world.figure.didRead(time.Since(begun), answer.byFile)
		w.mu.Lock()
		w.epoch.looked(c, p, answer.ledger, seen)
		w.mu.Unlock()
		pause(ctx, stretched(w.world.Pause, w.world.lead()))
		return nil
	}
}

func (w *witness) lookAtBoth(ctx context.Context, c int) error {
	begun := time.Now()
	seen, when, err := w.readAllOnce(w.user)
	if err != nil || seen == nil {
		return err
	}
	w.world.figure.didReadBoth(time.Since(begun))
	w.mu.Lock()
	w.epoch.lookedAtBoth(c, seen.state, when)
	w.mu.Unlock()
	pause(ctx, stretched(w.world.Pause, w.world.lead()))
	return nil
}

func (w *witness) lookMerged(ctx context.Context, c int) error {
	called := time.Since(w.world.began)
	answer, seen, err := w.world.lookMerged(w.user)
	when := interval{called: called, returned: time.Since(w.world.began)}
	if err != nil || answer.outcome != applied {
		return err
	}
	w.world.figure.merged.Add(1)
	w.mu.Lock()
	w.epoch.lookedAtBoth(c, seen, when)
	w.mu.Unlock()
	pause(ctx, stretched(w.world.Pause, w.world.lead()))
	return nil
}

// locate asks for a row that is always in one half.
func (w *witness) locate(ctx context.Context, p part) error {
	answer, place, err := w.world.locate(w.user, p)
	if err != nil || answer.outcome != applied {
		return err
	}
	w.world.figure.located.Add(1)
	if place != "hot" && (place != "cold" || p == present) {
		return fmt.Errorf("the counter of the %s is said to be in: %s", p, place)
	}
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

func (w *witness) acknowledged(c int, p part, op, n int64, seen interval) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.epoch.wrote(c, p, op, n, seen)
	w.world.figure.acknowledged.Add(1)
}

// epochEndPatience is how long the end of an epoch waits for an answer: a restart takes seconds, an operator
// that died between fence and switch leaves reads untouched.
const epochEndPatience = 2 * time.Minute

// closeEpoch reads everything, now that no request is under way, and checks the epoch.
func (w *witness) closeEpoch() error {
	now, seen, err := w.readAll(w.user)
	if err != nil {
		return err
	}
	w.epoch.lookedAtBoth(w.world.Clients, now.state, seen)
	w.epochs++
	if err := w.judge(now); err != nil {
		return err
	}
	if len(w.books.unknown[present])+len(w.books.unknown[archive]) > 0 {
		return nil // these writes may still come
	}
	_, err = w.compareCopies()
	return err
}

// readAll reads everything that a user has, and repeats that while the runtime restarts.
func (w *witness) readAll(u userdb.UserID) (*snapshot, interval, error) {
	for deadline := time.Now().Add(epochEndPatience); ; {
		now, seen, err := w.readAllOnce(u)
		if err != nil || now != nil {
			return now, seen, err
		}
		if time.Now().After(deadline) {
			return nil, seen, fmt.Errorf("no read was answered for %v", epochEndPatience)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// readAllOnce returns nil when there was no answer, and an error when rows are there twice or not at all.
func (w *witness) readAllOnce(u userdb.UserID) (*snapshot, interval, error) {
	called := time.Since(w.world.began)
	answer, err := w.world.readAll(u)
	seen := interval{called: called, returned: time.Since(w.world.began)}
	if err != nil || answer.outcome != applied {
		return nil, seen, err
	}
	w.world.figure.looked(answer.snapshot)
	if err := answer.snapshot.err(); err != nil {
		return nil, seen, fmt.Errorf("a read from %v to %v: %w", seen.called, seen.returned, err)
	}
	return &answer.snapshot, seen, nil
}

// judge compares what is there with what was acknowledged, and then asks for an order of events that explains
// all answers.
func (w *witness) judge(now *snapshot) error {
	for p := range parts {
		found := audit(w.books.entries[p], now.entries[p], w.epoch.acknowledged[p], w.books.unknown[p])
		w.world.figure.found(found)
		if err := found.err(); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		for _, op := range found.appeared {
			w.epoch.happened(w.world.Clients, p, op, w.books.unknown[p][op])
			delete(w.books.unknown[p], op)
		}
	}
	w.books.state, w.books.entries = now.state, now.entries
	w.world.figure.epochs.Add(1)
	return w.epoch.check()
}

// lastLook counts the entries of all users of this place once more, long after the last of their writes.
func (w *witness) lastLook() error {
	for _, old := range append(w.past, past{w.user, w.books}) {
		now, _, err := w.readAll(old.user)
		if err != nil {
			return fmt.Errorf("%s: %w", old.user, err)
		}
		for p := range parts {
			found := audit(old.books.entries[p], now.entries[p], nil, old.books.unknown[p])
			w.world.figure.found(found)
			if err := found.err(); err != nil {
				return fmt.Errorf("%s at the end, %s: %w", old.user, p, err)
			}
		}
		w.world.figure.audited.Add(1)
	}
	return nil
}
