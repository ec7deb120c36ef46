package migrate

import (
	"context"
	"errors"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// busy is a Durable Object that is in another state each time it is asked, and in the last one from then on.
// Without states it does not answer.
type busy struct {
	Stores
	states []wire.Status
}

func (b *busy) Status(context.Context, userdb.UserID) (wire.Status, error) {
	if len(b.states) == 0 {
		return wire.Status{}, &userdb.Error{Op: "status", Kind: userdb.Unreachable}
	}
	st := b.states[0]
	if len(b.states) > 1 {
		b.states = b.states[1:]
	}
	return st, nil
}

// TestDespiteWrites: what contradicts itself because the application wrote is attempted again, and is no
// conflict for a person to look at.
func TestDespiteWrites(t *testing.T) {
	conflict := &userdb.Error{
		Op:   "export",
		Kind: userdb.Conflict,
		Err:  errors.New("written to while it was read"),
	}
	before := wire.Status{Gen: 4, Writes: 7}
	after := func(writes ...int64) (states []wire.Status) {
		for _, w := range writes {
			states = append(states, wire.Status{Gen: 4, Writes: w})
		}
		return states
	}
	for _, c := range []struct {
		name     string
		failures int
		states   []wire.Status
		attempts int
		want     userdb.Kind
	}{
		{"at once", 0, after(7), 1, ""},
		{"written once", 1, after(8), 2, ""},
		{"nobody wrote", 9, after(7), 1, userdb.Conflict},
		{"written at first, contradictory then", 9, after(8, 8), 2, userdb.Conflict},
		{"written again and again", 9, after(8, 9, 10, 11), 3, userdb.Precondition},
		{"nobody can tell", 9, nil, 1, userdb.Unreachable},
		{"claimed by another command", 9, []wire.Status{{Gen: 5, Writes: 7}}, 1, userdb.Superseded},
	} {
		t.Run(c.name, func(t *testing.T) {
			attempts := 0
			err := (&Engine{Stores: &busy{states: c.states}}).despiteWrites(
				t.Context(),
				"split",
				"ann",
				before,
				func() error {
					if attempts++; attempts <= c.failures {
						return conflict
					}
					return nil
				},
			)
			if attempts != c.attempts || userdb.KindOf(err) != c.want {
				t.Errorf("%d attempts: %v", attempts, err)
			}
		})
	}
}
