package migrate_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

const neighbor = userdb.UserID("bob")

func forget(ctx context.Context, e *migrate.Engine) result.Result {
	return account(ctx, e, result.ActionForget, func(ctx context.Context, u userdb.UserID) result.Result {
		return e.Forget(ctx, u, migrate.ForgetOptions{ArchivePrefix: "archive/"})
	})
}

// litter leaves everything that commands may keep of a user, and as much of other users.
func (x *walk) litter() {
	x.Helper()
	for _, u := range []userdb.UserID{alice, neighbor, "alice2"} {
		for _, key := range []string{
			".dbmigrate/receipts/%s/1.json", ".dbmigrate/left-behind/%s/2.sqlite",
			".dbmigrate/overwritten/%s/abc.sqlite", ".dbmigrate/quarantine/%s/abc/damaged",
			".dbmigrate/rehearsals/%s.sqlite", "archive/%s/1.sqlite", "archive/%s/notes.txt", "%s/video.mp4",
		} {
			x.leave(userdb.ObjectKey(fmt.Sprintf(key, u)))
		}
		x.leave(".dbmigrate/fencing/" + x.w.Layout.Key(u))
	}
	x.leave(x.w.Layout.Key(neighbor))
}

const litterOfOthers = 2*9 + 1

func (x *walk) leave(key userdb.ObjectKey) {
	x.Helper()
	if _, err := x.w.Bucket.Put(x.Context(), key, strings.NewReader("x"), 1, userdb.PutOptions{}); err != nil {
		x.Fatal(err)
	}
}

// keys are all R2 objects but the receipts of deletions, and those receipts with their keys.
func (x *walk) keys() (others, receipts []string) {
	x.Helper()
	err := x.w.Bucket.List(x.Context(), "", "", func(objects []userdb.Object, _ []string) error {
		for _, o := range objects {
			if !strings.HasPrefix(string(o.Key), migrate.DeletionFolder) {
				others = append(others, string(o.Key))
				continue
			}
			var text bytes.Buffer
			if _, err := x.w.Bucket.Get(x.Context(), o.Key, "", &text); err != nil {
				return err
			}
			receipts = append(receipts, string(o.Key)+text.String())
		}
		return nil
	})
	if err != nil {
		x.Fatal(err)
	}
	return others, receipts
}

// nobody demands that neither side has anything of alice.
func (x *walk) nobody() {
	x.Helper()
	st, err := x.w.Objects.Status(x.Context(), alice)
	if err != nil || st.Phase != userdb.Empty || st.Receipt != nil || st.DatabaseBytes != 0 {
		x.Errorf("the object: %+v, %v", st, err)
	}
	if _, err := x.w.Bucket.Head(x.Context(), x.w.Layout.Key(alice)); userdb.KindOf(err) != userdb.NotFound {
		x.Errorf("the file: %v", err)
	}
	for _, flags := range []*world.Flags{x.w.Flags, x.w.SplitFlags} {
		if got, err := flags.Get(x.Context(), []userdb.UserID{alice}); err != nil || len(got) != 0 {
			x.Errorf("flags: %v, %v", got, err)
		}
	}
}

// gone demands that nothing of alice is left, and everything of the others.
func (x *walk) gone() {
	x.Helper()
	x.nobody()
	others, receipts := x.keys()
	left := 0
	for _, key := range others {
		switch {
		case key == "alice/video.mp4", key == "archive/alice/notes.txt": // the application's
		case strings.HasPrefix(key, ".dbmigrate/probe/"): // of a rollback that died
		case strings.Contains(key, "alice/"), strings.Contains(key, "alice."):
			x.Errorf("%s is left", key)
		default:
			left++
		}
	}
	if left != litterOfOthers {
		x.Errorf("%d objects of others are left: %q", left, others)
	}
	if len(receipts) != 1 || strings.Contains(receipts[0], string(alice)) {
		x.Errorf("receipts: %q", receipts)
	}
}

type command func(*walk, context.Context, *migrate.Engine) result.Result

// commandsOfOthers are those that may have left the user half-way.
func commandsOfOthers() map[string]command {
	return map[string]command{
		"migrate": func(_ *walk, ctx context.Context, e *migrate.Engine) result.Result { return e.Migrate(ctx, alice) },
		"split": func(x *walk, ctx context.Context, e *migrate.Engine) result.Result {
			return e.Split(ctx, alice, x.split(20))
		},
		"rollback": func(_ *walk, ctx context.Context, e *migrate.Engine) result.Result {
			return e.Rollback(ctx, alice, migrate.RollbackOptions{})
		},
	}
}

// beforeForget are the states of a user from which a deletion starts.
func beforeForget() map[string]func(*walk) {
	written := func(x *walk) { x.migrate(); x.write() }
	halves := func(x *walk) { x.splitAt(20) }
	died := func(before func(*walk), run command, change int) func(*walk) {
		return func(x *walk) {
			before(x)
			var late sync.WaitGroup
			line := world.NewLine(rand.New(rand.NewPCG(uint64(change), 5)), world.Trouble{}, &late)
			line.DieAtChange(change)
			run(x, x.Context(), world.Stepwise(x.w.OverLine("dies", line)))
			late.Wait()
		}
	}
	states := map[string]func(*walk){
		"at the file":  func(*walk) {},
		"migrated":     written,
		"split":        halves,
		"without file": func(x *walk) { written(x); _ = x.w.Bucket.Delete(x.Context(), x.w.Layout.Key(alice)) },
		"foreign mark": func(x *walk) { written(x); x.loseObject() },
	}
	others := commandsOfOthers()
	for change := range 6 {
		at := fmt.Sprintf(" died at change %d", change)
		states["migrate"+at] = died(func(*walk) {}, others["migrate"], change)
		states["split"+at] = died(func(*walk) {}, others["split"], change)
		states["rollback"+at] = died(written, others["rollback"], change)
		states["merge"+at] = died(halves, others["rollback"], change)
	}
	return states
}

// loseObject puts the file, with its fence, into a world with other objects.
func (x *walk) loseObject() {
	x.Helper()
	old := x.w
	x.w = world.New(x.TempDir())
	x.w.Bucket = old.Bucket
}

// A user is deleted from every state, wherever the deletion dies before. From its tombstone on no other
// command touches the user.
func TestForgetMayDieAnywhere(t *testing.T) {
	states := beforeForget()
	names := slices.Sorted(maps.Keys(states))
	for _, name := range effort.Some(t, "states", names, 4) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n, ended := 0, false; !ended; n++ {
				synctest.Test(t, func(t *testing.T) { ended = forgetDyingAfter(t, states[name], n) })
				if n > 200 {
					t.Fatal("it never ends")
				}
			}
		})
	}
}

func forgetDyingAfter(t *testing.T, before func(*walk), n int) (ended bool) {
	x := newWalk(t)
	x.litter()
	before(x)
	var late sync.WaitGroup
	line := world.NewLine(rand.New(rand.NewPCG(uint64(n), 7)), world.Trouble{}, &late)
	line.DieAfter(n)
	r := forget(t.Context(), x.w.OverLine("dies", line))
	late.Wait()
	if ended = !line.Died(); ended && (r.Err() != nil || r.Open) {
		t.Errorf("nothing happened, and yet: %v", r.Err())
	}
	x.othersStop(n)
	if r := forget(t.Context(), x.engine()); r.Err() != nil || r.Open {
		t.Fatalf("after request %d: %v", n, r.Err())
	}
	x.gone()
	if r := forget(t.Context(), x.engine()); r.Err() != nil || r.Outcome != result.OutcomeNothing {
		t.Errorf("once more: %s, %v", r.Outcome, r.Err())
	}
	return ended
}

// othersStop lets another command meet what a deletion left. Behind the tombstone it changes nothing.
func (x *walk) othersStop(n int) {
	x.Helper()
	e := x.engine()
	before, err := e.Inspect().Source().Look(x.Context(), alice)
	if err != nil {
		x.Fatal(err)
	}
	if before.Deletion == "" {
		return
	}
	others := commandsOfOthers()
	name := slices.Sorted(maps.Keys(others))[n%len(others)]
	r := others[name](x, x.Context(), e)
	after, err := e.Inspect().Source().Look(x.Context(), alice)
	if r.Err() == nil || r.Open || err != nil || after.ETag != before.ETag {
		x.Errorf("%s beside a deletion: %s, %v, %v", name, r.Outcome, r.Err(), err)
	}
	if s, err := e.Inspect().Status(x.Context(), alice); err != nil || s.Next != "dbmigrate forget alice" {
		x.Errorf("status beside a deletion: %+v, %v", s, err)
	}
}

// Commands of other operators run at the same time, and requests arrive late or twice. Afterwards one more
// deletion ends it, and no other user is touched.
func TestForgetBesideOthers(t *testing.T) {
	seeds := make([]uint64, 400)
	for i := range seeds {
		seeds[i] = uint64(i)
	}
	for _, seed := range effort.Some(t, "seeds", seeds, 20) {
		synctest.Test(t, func(t *testing.T) { forgetBesideOthers(t, seed) })
	}
}

func forgetBesideOthers(t *testing.T, seed uint64) {
	x := newWalk(t)
	x.litter()
	switch seed % 3 {
	case 1:
		x.migrate()
		x.write()
	case 2:
		x.splitAt(20)
	}
	trouble := world.Trouble{Lost: 0.03, Late: 0.03, NoAnswer: 0.03, Twice: 0.05, Slow: 0.1}
	others := commandsOfOthers()
	deletes := func(_ *walk, ctx context.Context, e *migrate.Engine) result.Result { return forget(ctx, e) }
	var deleted atomic.Bool
	var all, late sync.WaitGroup
	for i, run := range []command{deletes, others["migrate"], others["rollback"], deletes} {
		line := world.NewLine(rand.New(rand.NewPCG(seed, uint64(i))), trouble, &late)
		e := x.w.OverLine(fmt.Sprint(i), line)
		all.Go(func() {
			if r := run(x, t.Context(), e); r.Outcome == result.OutcomeForgotten {
				deleted.Store(true)
			}
		})
	}
	all.Wait()
	late.Wait()
	file, err := x.engine().Inspect().Source().Look(t.Context(), alice)
	if err != nil || deleted.Load() && !file.Absent && file.Deletion == "" {
		t.Errorf("seed %d: a deleted user is back: %s, %v", seed, file.Word(), err)
	}
	if r := forget(t.Context(), x.engine()); r.Err() != nil {
		t.Fatalf("seed %d: %v", seed, r.Err())
	}
	x.nobody()
	if _, err := x.w.Bucket.Head(t.Context(), x.w.Layout.Key(neighbor)); err != nil {
		t.Errorf("seed %d: another user: %v", seed, err)
	}
}
