package migrate

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// slowTurns let a user import after a while.
type slowTurns struct{}

const turnTakes = time.Second

func (slowTurns) Import(context.Context, int64) (end func()) {
	time.Sleep(turnTakes)
	return func() {}
}

// resetting is a Durable Object that is asked to forget what it holds.
type resetting struct{ Stores }

var errAsked = errors.New("asked")

func (resetting) Reset(context.Context, userdb.UserID, userdb.Claim) (wire.Status, error) {
	return wire.Status{}, errAsked
}

// A first copy waits for its turn; one under a fence, or after a lost race, does not.
func TestNobodyWaitsForATurnUnderTheFence(t *testing.T) {
	fenced, err := userdb.WithFence(header(), 5, 5, make([]byte, userdb.MarkRandomBytes))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		head []byte
		run  func(*migration, context.Context) error
		want time.Duration
	}{
		"first copy":                    {header(), (*migration).untilFenced, turnTakes},
		"under a dead command's fence":  {fenced, (*migration).untilFenced, 0},
		"copy that follows our own one": {header(), (*migration).switchOver, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newMemory()
				w.put(
					"alice/database.sqlite",
					append(c.head, "no page, so a copy fails at once"...),
					time.Now(),
				)
				e := w.engine(t)
				e.Stores, e.Turns = resetting{w}, slowTurns{}
				m := &migration{Engine: e, user: "alice", g: 7, result: &result.Result{}}
				var err error
				if m.file, err = m.download(t.Context(), "alice"); err != nil {
					t.Fatal(err)
				}
				defer m.file.Remove()
				begun := time.Now()
				if err := c.run(m, t.Context()); err == nil {
					t.Error("it went well")
				}
				if waited := time.Since(begun); waited != c.want {
					t.Errorf("waited %v, want %v", waited, c.want)
				}
			})
		})
	}
}
