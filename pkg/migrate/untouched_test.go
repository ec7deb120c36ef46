package migrate

import (
	"context"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// serving is a Durable Object that serves what lineage 5 brought, under the fence of claim 5.
type serving struct{ Stores }

func (serving) status() wire.Status {
	return wire.Status{Phase: userdb.Active, Gen: 5, Lin: 5,
		Receipt: &wire.Receipt{
			User:       "alice",
			Bucket:     "users",
			Key:        "alice/database.sqlite",
			Claim:      5,
			FencedETag: `"fenced"`,
		}}
}

func (s serving) Status(context.Context, userdb.UserID) (wire.Status, error) { return s.status(), nil }

func (s serving) Claim(context.Context, userdb.UserID, wire.ClaimRequest) (wire.Claimed, error) {
	st := s.status()
	st.Gen = 6
	return wire.Claimed{Status: st, Outcome: wire.OutcomeActive}, nil
}

// A writer that keeps the fence's mark and takes off its lock, as some exports do, is found by every command:
// what was acknowledged into the file must not be overwritten by an export, nor forgotten.
func TestSavedUnderItsFence(t *testing.T) {
	fenced, err := userdb.WithFence(header(), 5, 5, make([]byte, userdb.MarkRandomBytes))
	if err != nil {
		t.Fatal(err)
	}
	unlocked := append([]byte{}, fenced...)
	unlocked[18] = 1 // the write version that says "read only" to every SQLite
	for name, c := range map[string]struct {
		content []byte
		etag    userdb.ETag
		kind    userdb.Kind
	}{
		"as it was left":     {fenced, `"fenced"`, ""},
		"its lock taken off": {unlocked, `"other"`, userdb.Conflict},
		"other bytes":        {fenced, `"other"`, userdb.Conflict},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory()
			m.put("alice/database.sqlite", c.content, time.Now())
			object := m.objects["alice/database.sqlite"]
			object.ETag = c.etag
			m.objects["alice/database.sqlite"] = object
			e := m.engine(t)
			e.Stores = serving{}
			if r := e.Migrate(t.Context(), "alice"); userdb.KindOf(r.Err()) != c.kind {
				t.Errorf("migrate: %s, %v", r.Outcome, r.Err())
			}
			if c.kind == "" {
				return
			}
			if r := e.Rollback(t.Context(), "alice", RollbackOptions{}); userdb.KindOf(r.Err()) != c.kind ||
				r.Open {
				t.Errorf("rollback: %s, open %v, %v", r.Outcome, r.Open, r.Err())
			}
		})
	}
}

// A fence that was lifted without its Durable Object is known also when the writer after it dropped the
// metadata.
func TestLiftedAlone(t *testing.T) {
	for name, c := range map[string]struct {
		stamp userdb.Claim
		want  bool
	}{"the lineage's own number": {5, true}, "an export's": {7, false}} {
		head, err := userdb.WithStamp(header(), c.stamp.Stamp(), make([]byte, userdb.MarkRandomBytes))
		if err != nil {
			t.Fatal(err)
		}
		file, err := userfile.ReadVersion(userdb.Object{}, head)
		if err != nil {
			t.Fatal(err)
		}
		if got := userfile.LiftedAlone(file, 5); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
