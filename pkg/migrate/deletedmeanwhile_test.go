package migrate_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// downloaded is a bucket beside which something happens once the user's file was read as a whole.
type downloaded struct {
	migrate.Files
	key     userdb.ObjectKey
	once    sync.Once
	happens func()
}

func (d *downloaded) Get(
	ctx context.Context, key userdb.ObjectKey, ifMatch userdb.ETag, w io.Writer,
) (userdb.Object, error) {
	o, err := d.Files.Get(ctx, key, ifMatch, w)
	if key == d.key {
		d.once.Do(d.happens)
	}
	return o, err
}

// sending notes what is sent into the object, by single steps and inside of composite requests. Before the
// first claim something may happen.
type sending struct {
	migrate.Stores
	once    sync.Once
	happens func()
	sent    []string
}

func (s *sending) Claim(ctx context.Context, u userdb.UserID, req wire.ClaimRequest) (wire.Claimed, error) {
	s.once.Do(s.happens)
	return s.Stores.Claim(ctx, u, req)
}

func (s *sending) Schema(
	ctx context.Context, u userdb.UserID, g userdb.Claim, schema wire.Schema,
) (wire.Status, error) {
	s.sent = append(s.sent, "schema")
	return s.Stores.Schema(ctx, u, g, schema)
}

func (s *sending) Rows(
	ctx context.Context, u userdb.UserID, g userdb.Claim, seq int64, batch []byte,
) (wire.RowsAnswer, error) {
	s.sent = append(s.sent, "rows")
	return s.Stores.Rows(ctx, u, g, seq, batch)
}

// Call is a step of a composite request.
func (s *sending) Call(step string, op func() error) error {
	if step == "claim" {
		s.once.Do(s.happens)
	}
	if step == "schema" || step == "rows" {
		s.sent = append(s.sent, step)
	}
	return op()
}

// between is an engine beside which something happens behind its first download, or before its first claim.
func (x *walk) between(composites bool, download, claim func()) (*migrate.Engine, *sending) {
	x.Helper()
	e := x.engine()
	s := &sending{Stores: x.w.Objects, happens: claim}
	e.Files, e.Stores = &downloaded{Files: x.w.Bucket, key: x.w.Layout.Key(alice), happens: download}, s
	if e.Composites = nil; composites {
		e.Composites = x.w.Objects.Under(s)
	}
	return e, s
}

func nothing() {}

// TestADeletedUserIsNotCopied: a user is deleted while a command has a copy of the file. None of the rows go
// into the object again, the command says that there is no such user, and the next one may begin.
func TestADeletedUserIsNotCopied(t *testing.T) {
	for name, run := range map[string]command{
		"migrate": commandsOfOthers()["migrate"],
		"split":   commandsOfOthers()["split"],
	} {
		for _, composites := range []bool{false, true} {
			for _, atClaim := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, composites %v, at the claim %v", name, composites, atClaim), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						x := newWalk(t)
						var last userdb.Claim
						download, claim := func() { x.isDeleted(); last = x.newest() }, nothing
						if atClaim {
							download, claim = claim, download
						}
						e, s := x.between(composites, download, claim)
						x.knowsNobody(run(x, t.Context(), e), s)
						if now := x.newest(); now != last {
							t.Errorf("the deletion's last claim was %d, and now it is %d", last, now)
						}
						x.beginsInFile()
					})
				})
			}
		}
	}
}

// newest is the last claim that the object gave out.
func (x *walk) newest() userdb.Claim {
	x.Helper()
	st, err := x.w.Objects.Status(x.Context(), alice)
	if err != nil {
		x.Fatal(err)
	}
	return st.Gen
}

func (x *walk) isDeleted() {
	if r := forget(x.Context(), x.engine()); r.Err() != nil || r.Outcome != result.OutcomeForgotten {
		x.Errorf("the deletion: %s, %v", r.Outcome, r.Err())
	}
}

// knowsNobody demands that a command has found no user, and left none.
func (x *walk) knowsNobody(r result.Result, s *sending) {
	x.Helper()
	if userdb.KindOf(r.Err()) != userdb.NotFound || r.Open {
		x.Errorf("%s, open %v: %v", r.Outcome, r.Open, r.Err())
	}
	if len(s.sent) > 0 {
		x.Errorf("sent into the object: %q", s.sent)
	}
	x.nobody()
}

// TestAFileThatGoesAtTheClaimIsNotCopied: who deletes a file without a claim may do so behind the last
// look before the claim.
func TestAFileThatGoesAtTheClaimIsNotCopied(t *testing.T) {
	for _, name := range []string{"migrate", "split"} {
		synctest.Test(t, func(t *testing.T) {
			x := newWalk(t)
			e, s := x.between(false, nothing, func() {
				if err := x.w.Bucket.Delete(t.Context(), x.w.Layout.Key(alice)); err != nil {
					t.Error(err)
				}
			})
			x.knowsNobody(commandsOfOthers()[name](x, t.Context(), e), s)
			x.beginsInFile()
		})
	}
}

// TestADeletedUserIsNotLeftOpen: the fence of the copy is gone with the file, so nobody waits behind it.
func TestADeletedUserIsNotLeftOpen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newWalk(t)
		var late sync.WaitGroup
		line := world.NewLine(rand.New(rand.NewPCG(1, 5)), world.Trouble{}, &late)
		line.DieAtChange(2) // behind its fence
		world.Stepwise(x.w.OverLine("dies", line)).Migrate(t.Context(), alice)
		late.Wait()
		if file, err := x.engine().Inspect().Source().Look(t.Context(), alice); err != nil || !file.Fenced() {
			t.Fatalf("the file is %s: %v", file.Word(), err)
		}
		e, s := x.between(false, x.isDeleted, nothing)
		x.knowsNobody(e.Migrate(t.Context(), alice), s)
	})
}

// TestAnOldCopyIsNotSent: what the application wrote since the download, or what another command has put,
// makes the copy old before anything of it is sent. It costs one more download, and no import in vain.
func TestAnOldCopyIsNotSent(t *testing.T) {
	for name, c := range map[string]struct {
		composites, atClaim bool
		happens             func(*walk)
		rows                int
	}{
		"written":              {false, false, (*walk).write, walkRows + 1},
		"written at the claim": {false, true, (*walk).write, walkRows + 1},
		"claimed, and put": {true, false, func(x *walk) {
			claims(x.T, x.engine(), wire.IntentMigrate)
			if r := x.engine().Rollback(x.Context(), alice, migrate.RollbackOptions{}); r.Err() != nil {
				x.Error(r.Err())
			}
		}, walkRows},
	} {
		for _, command := range []string{"migrate", "split"} {
			t.Run(command+", "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					x := newWalk(t)
					download, claim := func() { c.happens(x) }, nothing
					if c.atClaim {
						download, claim = claim, download
					}
					e, s := x.between(c.composites, download, claim)
					if r := commandsOfOthers()[command](x, t.Context(), e); r.Err() != nil {
						t.Fatal(r.Err())
					}
					if len(s.sent) != 2 { // one schema, one batch of rows
						t.Errorf("sent into the object: %q", s.sent)
					}
					if r := x.engine().Rollback(t.Context(), alice, migrate.RollbackOptions{}); r.Err() != nil {
						t.Fatal(r.Err())
					}
					x.atFile(c.rows)
				})
			})
		}
	}
}

// claims takes the next claim, and leaves it at that.
func claims(t *testing.T, e *migrate.Engine, intent wire.Intent) {
	t.Helper()
	st, err := e.Stores.Status(t.Context(), alice)
	if err == nil {
		req := wire.ClaimRequest{Intent: intent, Seen: st.Gen, ID: fmt.Sprintf("%032d", st.Gen+1)}
		_, err = e.Stores.Claim(t.Context(), alice, req)
	}
	if err != nil {
		t.Fatal(err)
	}
}
