package simulation

import (
	"context"
	"fmt"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// mortal is the network of an isolate that dies at one of its calls.
type mortal struct {
	line   world.Network
	left   int  // calls until then
	behind bool // it dies behind the effect of that call
}

// Call delivers a request, while the isolate lives. Nobody hears of the last one.
func (m *mortal) Call(ctx context.Context, op func() error) error {
	m.left--
	switch {
	case m.left > 0:
		return m.line.Call(ctx, op)
	case m.left == 0 && m.behind:
		_ = m.line.Call(ctx, op) // its answer is lost
		return world.ErrUnknown
	}
	return world.ErrLost
}

// callsOfABirth are about as many as the request makes that lets a user begin in the object.
const callsOfABirth = 12

// isolate is where one request runs. Where users begin in the object, a third of them dies on the way.
func (l *life) isolate(router *world.Router, number, request int) *world.Router {
	if !l.births {
		return router
	}
	dice := l.dice("isolate", 100*number+request)
	if dice.IntN(3) > 0 {
		return router
	}
	dies := *router
	dies.Network = &mortal{router.Network, 1 + dice.IntN(callsOfABirth), dice.IntN(2) == 0}
	return &dies
}

// beside begins who else is about a user who begins in the object: code that knows nothing of that, and
// somebody who deletes the user.
func (l *life) beside(trouble world.Trouble, mayForget bool, begin func(func())) {
	dice := l.dice("beside a birth", 0)
	if dice.IntN(2) == 0 {
		begin(func() { l.oldCode(trouble) })
	}
	if dice.IntN(3) == 0 && mayForget {
		begin(func() { l.deletes() })
	}
}

// oldCode loads the file, or finds none, and saves it on condition of that.
func (l *life) oldCode(trouble world.Trouble) {
	dice := l.dice("old code", 0)
	old := &world.OldCode{World: l.World, Network: world.NewLine(l.dice("old code line", 0), trouble, &l.late)}
	for i := range 2 + dice.IntN(6) {
		time.Sleep(time.Duration(dice.Int64N(int64(l.kind.pace))))
		id := fmt.Sprintf("old-%d", i)
		err := l.writeBy(old, id)
		l.say("old code: write %s: %v", id, orDone(err))
	}
}

// deletes deletes the user while requests and commands go on. Those make the user once more.
func (l *life) deletes() {
	dice := l.dice("deletes", 0)
	time.Sleep(time.Duration(dice.Int64N(4 * int64(l.kind.pace))))
	l.mu.Lock()
	l.forgetting = true
	l.running++
	l.begun++
	l.ended = false
	l.written.deletionBegins()
	l.mu.Unlock()
	for i := range 3 {
		if l.forget(i) {
			break
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
}

// forget says whether the user is deleted now. A command in between may take the user away.
func (l *life) forget(try int) bool {
	name := fmt.Sprintf("forget %d", try)
	e := l.OverLine(name, world.NewLine(l.dice(name, 0), world.Trouble{}, &l.late))
	e.Random = chances{l.dice(name, 1)}
	var ended result.Result
	do := func(ctx context.Context, u userdb.UserID) result.Result {
		return e.Forget(ctx, u, migrate.ForgetOptions{})
	}
	fleet.Each(context.Background(), e, []userdb.UserID{user}, result.ActionForget, do, func(r result.Result) { ended = r })
	l.say("%s: %s: %v", name, ended.Outcome, orDone(ended.Err()))
	if ended.Err() != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forgetting = false
	l.written.deletionEnds()
	l.figures.Forgotten++
	return true
}
