package migrate

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// lifting is a Durable Object between fence and switch. After so many looks its cutover is taken back.
type lifting struct {
	Stores
	looks    int
	takeBack func()
}

func (l *lifting) Status(context.Context, userdb.UserID) (wire.Status, error) {
	if l.looks--; l.looks < 0 {
		l.takeBack()
		return wire.Status{Phase: userdb.Empty, Gen: 5}, nil
	}
	return wire.Status{Phase: userdb.Ready, Gen: 5}, nil
}

// A verify that meets another command between fence and switch waits for it; only a cutover that stays open
// is a conflict.
func TestVerifyBetweenFenceAndSwitch(t *testing.T) {
	const key = "alice/database.sqlite"
	fenced, err := userdb.WithFence(header(), 5, 5, make([]byte, userdb.MarkRandomBytes))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		looks int
		kind  userdb.Kind
	}{
		"under way": {1, ""},
		"left open": {1000, userdb.Conflict},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newMemory()
				m.put(key, fenced, time.Now())
				e := m.engine(t)
				e.Stores = &lifting{looks: c.looks, takeBack: func() { m.put(key, header(), time.Now()) }}
				r := e.Verify(t.Context(), "alice")
				if userdb.KindOf(r.Err()) != c.kind || c.kind == "" && r.Outcome != result.OutcomeInR2 {
					t.Errorf("%s, %v", r.Outcome, r.Err())
				}
			})
		})
	}
}
