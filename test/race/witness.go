package race

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// epochSteps is how many requests each client makes before the user's clients meet and their history is checked: enough for cutovers to
// fall into it, few enough for the check to take no time.
const epochSteps = 25

// witness makes one user's requests and checks what they showed.
type witness struct {
	race *race
	user userdb.UserID

	entries []int64            // the user's table at the end of the last epoch
	unknown map[int64]interval // writes of which nobody knows whether they happened, and that no epoch's end has shown

	mu     sync.Mutex
	nextOp int64
	epoch  epoch
}

func newWitness(r *race, u userdb.UserID) *witness {
	return &witness{race: r, user: u, unknown: map[int64]interval{}}
}

// run goes from epoch to epoch until ctx ends; then it checks the last one.
func (w *witness) run(ctx context.Context) error {
	for ctx.Err() == nil {
		w.epoch = epoch{start: state{n: int64(len(w.entries))}}
		if len(w.entries) > 0 {
			w.epoch.start.last = w.entries[len(w.entries)-1]
		}
		var clients sync.WaitGroup
		problems := make([]error, w.race.Clients)
		for c := range w.race.Clients {
			clients.Go(func() { problems[c] = w.client(ctx, c) })
		}
		clients.Wait()
		for _, problem := range problems {
			if problem != nil {
				return fmt.Errorf("%s: %w", w.user, problem)
			}
		}
		if err := w.closeEpoch(); err != nil {
			return fmt.Errorf("%s: %w", w.user, err)
		}
	}
	return nil
}

// client makes its share of an epoch's requests: three writes, then a read, and so on, each client at another place of that round.
func (w *witness) client(ctx context.Context, c int) error {
	for step := range epochSteps {
		if ctx.Err() != nil {
			return nil
		}
		var err error
		if (step+c)%4 == 3 {
			err = w.read(c)
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
		called := time.Since(w.race.began)
		answer, err := w.race.append(w.user, op)
		seen := interval{called: called, returned: time.Since(w.race.began)}
		switch {
		case err != nil:
			return err
		case answer.outcome == applied:
			w.acknowledged(c, op, answer.ledger.n, seen)
			w.race.figure.wrote(time.Since(first), severed)
			if answer.byFile {
				time.Sleep(rand.N(w.race.FilePause + 1))
			}
			return nil
		case answer.outcome == unknown:
			w.mu.Lock()
			w.unknown[op] = seen
			w.mu.Unlock()
			w.race.figure.unknown.Add(1)
			return nil
		}
		if answer.outcome == notSent {
			severed = true
			time.Sleep(50 * time.Millisecond) // the runtime restarts
		} else {
			w.race.figure.refused.Add(1)
		}
		if ctx.Err() != nil {
			return nil
		}
	}
}

func (w *witness) read(c int) error {
	begun := time.Now()
	called := time.Since(w.race.began)
	answer, err := w.race.look(w.user)
	seen := interval{called: called, returned: time.Since(w.race.began)}
	if err != nil || answer.outcome != applied {
		return err
	}
	w.race.figure.didRead(time.Since(begun))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.epoch.read(c, answer.ledger, seen)
	return nil
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
	w.race.figure.acknowledged.Add(1)
}

// epochEndPatience is how long the end of an epoch waits for an answer: a restart takes seconds, an operator that died between fence and switch leaves
// reads untouched.
const epochEndPatience = 2 * time.Minute

// closeEpoch reads everything, now that no request is under way, and checks the epoch.
func (w *witness) closeEpoch() error {
	for deadline := time.Now().Add(epochEndPatience); ; {
		called := time.Since(w.race.began)
		answer, err := w.race.readAll(w.user)
		if err != nil {
			return err
		}
		if answer.outcome == applied {
			w.epoch.read(w.race.Clients, answer.ledger, interval{called: called, returned: time.Since(w.race.began)})
			return w.judge(answer.entries, answer.ledger)
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("no read was answered for %v", epochEndPatience)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// judge compares what is there with what was acknowledged, and then asks for an order of events that explains all answers.
func (w *witness) judge(now []int64, at ledger) error {
	found := audit(w.entries, now, w.epoch.acknowledged, w.unknown)
	w.race.figure.lost.Add(int64(len(found.lost)))
	w.race.figure.duplicated.Add(int64(len(found.duplicated)))
	if err := found.err(); err != nil {
		return err
	}
	if at.n != int64(len(now)) {
		return fmt.Errorf("the counter says %d and there are %d entries: half a transaction was applied", at.n, len(now))
	}
	for _, op := range found.appeared {
		w.epoch.happened(w.race.Clients, op, w.unknown[op])
		delete(w.unknown, op)
	}
	w.entries = now
	w.race.figure.epochs.Add(1)
	return w.epoch.check()
}
