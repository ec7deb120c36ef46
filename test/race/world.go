package race

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// world is one local Cloudflare with its users and operators.
type world struct {
	*race
	name      string
	stack     *stack.Stack
	url       string // of the Worker; the stack's own field changes hands during a restart
	operators []*operator
	// copiers make backups: one reads objects in one request, another follows what changes in them.
	copiers   []*migrate.Engine
	witnesses []*witness
	restarts  int
	// restarting is held while the runtime restarts.
	restarting sync.RWMutex

	outsider outsider

	mu     sync.Mutex
	users  []userdb.UserID // those of now, one for each witness
	people map[userdb.UserID]*person
	born   int
}

// worlds puts users and operators on every stack.
func (r *race) worlds(ctx context.Context, stacks []*stack.Stack) ([]*world, error) {
	var all []*world
	for n, s := range stacks {
		w := &world{
			race:   r,
			name:   fmt.Sprintf("racer-%d", n),
			stack:  s,
			url:    s.URL,
			users:  make([]userdb.UserID, r.Users),
			people: map[userdb.UserID]*person{},
		}
		w.outsider.world = w
		if err := w.populate(ctx); err != nil {
			return nil, err
		}
		all = append(all, w)
	}
	return all, nil
}

func (w *world) populate(ctx context.Context) error {
	for n := range w.Operators {
		o, err := newOperator(ctx, w, fmt.Sprintf("%s-%d", w.name, n))
		if err != nil {
			return err
		}
		w.operators = append(w.operators, o)
	}
	for _, bytes := range []int64{0, 8 << 20} {
		e, err := w.engine(ctx, w.name+"-copies", nil)
		if err != nil {
			return err
		}
		e.SnapshotBytes = bytes
		w.copiers = append(w.copiers, e)
	}
	for place := range w.Users {
		witness := newWitness(w, place)
		if err := witness.adopt(ctx); err != nil {
			return err
		}
		w.witnesses = append(w.witnesses, witness)
	}
	return nil
}

// bear makes a new user with an empty ledger in place of another one.
func (w *world) bear(ctx context.Context, place int) (userdb.UserID, error) {
	w.mu.Lock()
	w.born++
	inObject := !w.Split && w.born%2 == 0
	u := userdb.UserID(fmt.Sprintf("%s-%d", w.name, w.born))
	w.mu.Unlock()
	n := drawNames(w.words())
	if inObject {
		w.settle(place, u, n)
		return u, w.beginInObject(u)
	}
	err := putEmptyLedger(ctx, w.operators[0].patient.Files, u, n)
	for deadline := time.Now().Add(epochEndPatience); userdb.KindOf(err) == userdb.Unreachable && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond) // the runtime restarts
		err = putEmptyLedger(ctx, w.operators[0].patient.Files, u, n)
	}
	if err != nil {
		return "", err
	}
	w.settle(place, u, n)
	return u, nil
}

func (w *world) settle(place int, u userdb.UserID, n names) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.users[place], w.people[u] = u, &person{user: u, names: n}
}

// beginInObject makes the ledger by the user's first write, through a router that lets new users begin in the
// Durable Object. Where nobody knows whether a write was applied, a read says it.
func (w *world) beginInObject(u userdb.UserID) error {
	var err error
	for deadline := time.Now().Add(epochEndPatience); time.Now().Before(deadline); {
		first := query{Mode: "write"}
		for line := range strings.Lines(strings.TrimSpace(ledgerSchema)) {
			first.Statements = append(first.Statements, statement{SQL: strings.TrimSpace(line)})
		}
		var a answer
		if a, _, err = w.query(u, first); err == nil && a.outcome == applied {
			return nil
		}
		if seen, lookErr := w.look(u, 0, hot); lookErr == nil && seen.outcome == applied {
			return nil
		}
		time.Sleep(50 * time.Millisecond) // the runtime restarts
	}
	return fmt.Errorf("%s did not begin: %w", u, err)
}

func (w *world) personOf(u userdb.UserID) *person {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.people[u]
}

func (w *world) anybody() userdb.UserID {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.users[rand.IntN(len(w.users))]
}

func (w *world) begin(ctx context.Context, everybody *sync.WaitGroup) {
	for _, witness := range w.witnesses {
		everybody.Go(func() { w.failOn(witness.run(ctx)) })
	}
	for _, o := range w.operators {
		everybody.Go(func() { w.failOn(o.run(ctx)) })
	}
	everybody.Go(func() { w.every(ctx, w.EvictEvery, w.evict) })
	everybody.Go(func() { w.every(ctx, w.RestartEvery, func() error { return w.restart(ctx) }) })
	if !w.Split { // who deletes the file of hot rows deletes what nobody else has
		everybody.Go(func() { w.every(ctx, w.MeddleEvery, w.outsider.meddle) })
	}
}

// evict throws one Durable Object out of memory, together with whatever it is doing. While the runtime
// restarts there is none.
func (w *world) evict() error {
	answer, err := w.http.Post(w.url+"/test/evict/"+string(w.anybody()), "text/plain", nil)
	if err != nil {
		return nil
	}
	answer.Body.Close()
	if answer.StatusCode == http.StatusOK {
		w.figure.evictions.Add(1)
	}
	return nil
}

// restart ends the Worker, its Durable Objects and the local R2 and KV at once, every other time with kill
// -9, and starts them again on their state. Some of the objects that were killed come back as they were long
// before, for a while.
func (w *world) restart(ctx context.Context) error {
	w.restarting.Lock()
	defer w.restarting.Unlock()
	if w.restarts++; w.restarts%2 == 0 {
		return w.start()
	}
	if w.Split || w.MeddleEvery == 0 {
		return w.killed(func() error { return nil })
	}
	if err := w.outsider.findOldObjects(); err != nil {
		return err
	}
	if err := w.killed(w.outsider.setBack); err != nil || !w.outsider.isUndue() {
		return err
	}
	pause(ctx, setBackFor)
	return w.killed(w.outsider.setForward)
}

// killed does something to what a killed runtime has left, and starts it again.
func (w *world) killed(do func() error) error {
	if err := w.stack.Kill(); err != nil {
		return fmt.Errorf("kill the runtime: %w", err)
	}
	if err := do(); err != nil {
		return err
	}
	return w.start()
}

func (w *world) start() error {
	if err := w.stack.Restart(context.Background()); err != nil {
		return fmt.Errorf("restart the runtime: %w", err)
	}
	w.figure.restarts.Add(1)
	return nil
}

// audit moves the users of now once more, whatever dead commands left of them, and counts the entries of
// everybody who ever was.
func (w *world) audit() error {
	if err := w.outsider.mend(); err != nil {
		return err
	}
	for _, witness := range w.witnesses {
		if err := w.operators[0].farewell(witness.user); err != nil {
			return err
		}
		if err := witness.lastLook(); err != nil {
			return err
		}
		done, err := witness.compareCopies()
		if err == nil && !done {
			err = errors.New("there is no backup, and nothing disturbs any more")
		}
		if err != nil {
			return fmt.Errorf("%s at the end: %w", witness.user, err)
		}
		if w.figure.died.Load() > 0 {
			continue
		}
		if err := witness.die(context.Background()); err != nil { // outsiders were at everybody else
			return err
		}
	}
	return nil
}
