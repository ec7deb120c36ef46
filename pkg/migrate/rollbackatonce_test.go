package migrate_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// waysBack are the two that one composite request goes.
var waysBack = map[string]struct {
	before func(*walk)
	rows   int
}{
	"return": {func(x *walk) { x.migrate() }, walkRows},
	"export": {func(x *walk) { x.migrate(); x.write() }, walkRows + 1},
}

func (x *walk) back() result.Result {
	return x.engine().Rollback(x.Context(), alice, migrate.RollbackOptions{})
}

// A rollback takes few requests that wait for each other, and moves no more than it has to.
func TestRollbackTakesFewRequests(t *testing.T) {
	for name, c := range map[string]struct {
		before func(*walk)
		run    func(*migrate.Engine)
		rounds int
		files  int64 // how many times the bytes of the whole file travel; a look has some of them
	}{
		"unchanged":               {waysBack["return"].before, nil, 2, 0},
		"with writes":             {waysBack["export"].before, nil, 4, 1},
		"unchanged, step by step": {waysBack["return"].before, func(e *migrate.Engine) { world.Stepwise(e) }, 12, 4},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newWalk(t)
				c.before(x)
				var late sync.WaitGroup
				line := world.NewLine(rand.New(rand.NewPCG(1, 1)), world.Trouble{}, &late)
				line.Takes(time.Second)
				e := x.w.OverLine("counts", line)
				e.WriteProof = new(migrate.WriteProof)
				if c.run != nil {
					c.run(e)
				}
				_, before := line.Carried()
				began := time.Now()
				r := e.Rollback(t.Context(), alice, migrate.RollbackOptions{})
				if r.Err() != nil {
					t.Fatal(r.Err())
				}
				left := x.w.Bucket.List(t.Context(), ".dbmigrate/probe/", "", func(objects []userdb.Object, _ []string) error {
					if len(objects) > 0 {
						return fmt.Errorf("the proof that the command may write left %s", objects[0].Key)
					}
					return nil
				})
				if left != nil {
					t.Error(left)
				}
				_, after := line.Carried()
				if rounds := int(time.Since(began) / time.Second); rounds != c.rounds {
					t.Errorf("%d requests one after the other, want %d", rounds, c.rounds)
				}
				const proof = 100 // bytes, at most: that the command may write is proved beside the looks
				if carried := after - before; carried/r.Bytes != c.files || c.files < 2 && carried%r.Bytes > proof {
					t.Errorf("%d bytes, want the %d of the file %d times", carried, r.Bytes, c.files)
				}
			})
		})
	}
}

// hurried is a Worker that inner disturbs, and an operator who waits half a minute for its answer.
func (x *walk) hurried(inner world.Inner, under *sync.WaitGroup) *migrate.Engine {
	e := x.engine()
	e.Composites = inAHurry{Composites: e.Composites, to: x.w.Objects.Under(inner), late: under}
	return e
}

type inAHurry struct {
	migrate.Composites
	to   *world.Objects
	late *sync.WaitGroup
}

func (h inAHurry) Return(ctx context.Context, u userdb.UserID, req wire.BackRequest) (wire.Returned, error) {
	return soon(h.late, func() (wire.Returned, error) { return h.to.Return(ctx, u, req) })
}

func (h inAHurry) Export(ctx context.Context, u userdb.UserID, req wire.BackRequest) (*wire.Exported, error) {
	return soon(h.late, func() (*wire.Exported, error) { return h.to.Export(ctx, u, req) })
}

// soon gives up on what takes longer; it goes on all the same.
func soon[T any](late *sync.WaitGroup, op func() (T, error)) (value T, err error) {
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	late.Go(func() {
		value, err := op()
		answers <- answer{value, err}
	})
	select {
	case a := <-answers:
		return a.value, a.err
	case <-time.After(30 * time.Second):
		return value, &userdb.Error{Op: "ask the Worker", Kind: userdb.Unreachable, Err: errors.New("no answer")}
	}
}

// Whatever becomes of a call inside the Worker, the user comes back whole: by the same command, or by one
// that comes after it, before and after what was late. That takes no later write away.
func TestEveryCallInsideTheWorkerMayFail(t *testing.T) {
	for name, c := range waysBack {
		for _, fate := range world.Fates {
			t.Run(name+"/"+string(fate), func(t *testing.T) {
				t.Parallel()
				for at, met := 0, true; met; at++ {
					for _, by := range lateness(fate) {
						synctest.Test(t, func(t *testing.T) {
							x := newWalk(t)
							c.before(x)
							inner := &world.Disturb{At: at, Fate: fate, By: by, Under: &sync.WaitGroup{}}
							first := x.hurried(inner, inner.Under).
								Rollback(t.Context(), alice, migrate.RollbackOptions{})
							met = inner.Met() != ""
							where := fmt.Sprintf("%s (call %d) by %s", inner.Met(), at, by)
							if first.Err() != nil && !first.Open {
								t.Errorf("%s: nothing is open, and yet: %v", where, first.Err())
							}
							if r := x.back(); r.Err() != nil {
								t.Errorf("%s, once more: %v", where, r.Err())
							}
							x.write()
							inner.Under.Wait()
							x.atFile(c.rows + 1)
						})
					}
				}
			})
		}
	}
}

// overtaken lets something happen in front of one call inside the Worker.
type overtaken struct {
	at, calls int
	by        func()
}

func (o *overtaken) Call(_ string, op func() error) error {
	o.calls++
	if o.calls == o.at+1 {
		o.by()
	}
	return op()
}

// Other commands, and the application, come between two calls inside the Worker. The request goes on after
// its operator has given up.
func TestOthersComeBetweenCallsInsideTheWorker(t *testing.T) {
	migrates := func(x *walk) { x.engine().Migrate(x.Context(), alice) }
	returns := func(x *walk) { x.back() }
	writes := func(x *walk) { x.write() }
	for name, c := range waysBack {
		for other, come := range map[string][]func(*walk){
			"migrate":                  {migrates},
			"migrate, write":           {migrates, writes},
			"rollback":                 {returns},
			"rollback, write":          {returns, writes},
			"rollback, write, migrate": {returns, writes, migrates},
			"write, back, there":       {returns, migrates, writes, returns, migrates},
		} {
			t.Run(name+"/"+other, func(t *testing.T) {
				t.Parallel()
				for at, met := 0, true; met; at++ {
					synctest.Test(t, func(t *testing.T) {
						x := newWalk(t)
						c.before(x)
						rows := c.rows
						inner := &overtaken{at: at, by: func() {
							for _, step := range come {
								step(x)
							}
							if strings.Contains(other, "write") {
								rows++
							}
						}}
						var under sync.WaitGroup
						x.hurried(inner, &under).Rollback(t.Context(), alice, migrate.RollbackOptions{})
						met = inner.calls > at
						under.Wait()
						x.write()
						if r := x.back(); r.Err() != nil {
							t.Errorf("call %d: %v", at, r.Err())
						}
						x.atFile(rows + 1)
					})
				}
			})
		}
	}
}

// step is a Worker that answers with an error of one step, and has done nothing.
type step struct {
	migrate.Composites
	name string
	kind userdb.Kind
}

func (s step) err() error {
	return &userdb.Error{Op: "ask", Kind: s.kind, Err: &wire.RemoteError{
		Kind: wire.KindInternal, Message: "no", Details: fmt.Appendf(nil, `{"step":%q}`, s.name),
	}}
}

func (s step) Import(context.Context, userdb.UserID, wire.ImportRequest) (wire.Imported, error) {
	return wire.Imported{}, s.err()
}

func (s step) Return(context.Context, userdb.UserID, wire.BackRequest) (wire.Returned, error) {
	return wire.Returned{}, s.err()
}

func (s step) Export(context.Context, userdb.UserID, wire.BackRequest) (*wire.Exported, error) {
	return nil, s.err()
}

// Where the Worker's composite requests fail for good, because its bucket or its object does not answer it,
// the single requests go on.
func TestSingleRequestsGoOn(t *testing.T) {
	for _, at := range []step{
		{nil, "room", userdb.Throttled},
		{nil, "look", userdb.Unreachable}, {nil, "look", userdb.Precondition}, {nil, "look", userdb.Blocked},
		{nil, "seal", userdb.Unreachable}, {nil, "seal", userdb.Throttled}, {nil, "compare", userdb.Mismatch},
		{nil, "put", userdb.Internal}, {nil, "release", userdb.Internal},
		{nil, "", userdb.Unreachable}, {nil, "", userdb.ProtocolError},
	} {
		for name, c := range waysBack {
			t.Run(fmt.Sprintf("%s/%s %s", name, at.name, at.kind), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					x := newWalk(t)
					c.before(x)
					e := x.engine()
					e.Composites = at
					if r := e.Rollback(t.Context(), alice, migrate.RollbackOptions{}); r.Err() != nil || r.Open {
						t.Errorf("open %v: %v", r.Open, r.Err())
					}
					x.atFile(c.rows)
				})
			})
		}
	}
}

// The same of an import.
func TestSingleRequestsImport(t *testing.T) {
	for _, name := range []string{"room", "claim", "look", "fill"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newWalk(t)
				e := x.engine()
				e.Composites = step{x.w.Objects, name, userdb.Throttled}
				if r := e.Migrate(t.Context(), alice); !r.Serves() || r.Err() != nil {
					t.Errorf("%s: %v", r.Outcome, r.Err())
				}
			})
		})
	}
}
