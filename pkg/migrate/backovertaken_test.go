package migrate_test

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// beforeStep runs something before one step of a composite request, once.
type beforeStep struct {
	step string
	run  func()
	done bool
}

func (b *beforeStep) Call(step string, op func() error) error {
	if step == b.step && !b.done {
		b.done = true
		b.run()
	}
	return op()
}

// TestRollbackDoesNotOvertake: a command that was superseded behind its claim stops, and undoes nothing of
// the newer one.
func TestRollbackDoesNotOvertake(t *testing.T) {
	for _, step := range []string{"put", "release"} {
		t.Run(step, func(t *testing.T) {
			x := newWalk(t)
			x.migrate()
			e := x.engine()
			e.Composites = x.w.Objects.Under(&beforeStep{step: step, run: func() {
				x.engine().Migrate(t.Context(), alice)
			}})
			before, _ := x.w.Objects.Status(t.Context(), alice)
			r := e.Rollback(t.Context(), alice, migrate.RollbackOptions{})
			st, err := x.w.Objects.Status(t.Context(), alice)
			if err != nil || st.Phase != userdb.Active || st.Gen < before.Gen+2 {
				t.Errorf("%s, %v: the object is %s under claim %d: %v", r.Outcome, r.Err(), st.Phase, st.Gen, err)
			}
			if userdb.KindOf(r.Err()) != userdb.Superseded || r.Open {
				t.Errorf("%s, open %v: %v", r.Outcome, r.Open, r.Err())
			}
		})
	}
}

// sealsUnheard seals the object and loses the answer. The same request again fails at its first step.
type sealsUnheard struct {
	migrate.Composites
	objects *world.Objects
	then    func()
}

func (s *sealsUnheard) Return(
	ctx context.Context,
	u userdb.UserID,
	req wire.BackRequest,
) (wire.Returned, error) {
	if _, err := s.objects.Claim(ctx, u, req.Claim); err != nil {
		return wire.Returned{}, err
	}
	s.then()
	at, _ := json.Marshal(map[string]string{"step": "look"})
	return wire.Returned{}, &userdb.Error{Op: "return", Thing: string(u), Kind: userdb.Unreachable,
		Err: &wire.RemoteError{Status: 500, Kind: wire.KindInternal, Details: at}}
}

// heeds ends its calls with their context, as real clients do.
type heeds struct{ migrate.Stores }

func (h heeds) Status(ctx context.Context, u userdb.UserID) (wire.Status, error) {
	if ctx.Err() != nil {
		return wire.Status{}, &userdb.Error{Op: "status", Thing: string(u), Kind: userdb.Interrupted,
			Err: context.Cause(ctx)}
	}
	return h.Stores.Status(ctx, u)
}

// TestInterruptBehindAnUnheardSeal: what may be sealed is finished first, or is called open.
func TestInterruptBehindAnUnheardSeal(t *testing.T) {
	x := newWalk(t)
	x.migrate()
	ctx, cancel := context.WithCancel(t.Context())
	e := x.engine()
	e.Stores = heeds{e.Stores}
	e.Composites = &sealsUnheard{e.Composites, x.w.Objects, cancel}
	r := e.Rollback(ctx, alice, migrate.RollbackOptions{})
	st, err := x.w.Objects.Status(t.Context(), alice)
	if err != nil || st.Phase == userdb.Sealed && !r.Open {
		t.Errorf("%s, %v, open %v: the object is %s: %v", r.Outcome, r.Err(), r.Open, st.Phase, err)
	}
}
