package migrate_test

import (
	"bytes"
	"context"
	"database/sql"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/backup"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// given writes the user's file, as it was at first, to a path that a restore may use up.
func (x *walk) given(e *migrate.Engine, image []byte) string {
	x.Helper()
	path, err := e.ScratchPath()
	if err == nil {
		err = os.WriteFile(path, image, 0o600)
	}
	if err != nil {
		x.Fatal(err)
	}
	return path
}

func (x *walk) image() []byte {
	x.Helper()
	var body bytes.Buffer
	if _, err := x.w.Bucket.Get(x.Context(), x.w.Layout.Key(alice), "", &body); err != nil {
		x.Fatal(err)
	}
	return body.Bytes()
}

func (x *walk) restore(ctx context.Context, e *migrate.Engine, image []byte) result.Result {
	x.Helper()
	return e.Restore(ctx, alice, x.given(e, image), migrate.RestoreOptions{})
}

// restores are ways that end with the file that was given, from every side and from what a dead command left.
func restores() map[string]way {
	var image []byte
	first := func(more func(*walk)) func(*walk) {
		return func(x *walk) { image = x.image(); more(x); x.write() }
	}
	run := func(x *walk, ctx context.Context, e *migrate.Engine) result.Result { return x.restore(ctx, e, image) }
	sealed := func(x *walk) {
		e := x.engine()
		e.Stores = noExport{e.Stores}
		e.Rollback(x.Context(), alice, migrate.RollbackOptions{})
	}
	return map[string]way{
		"restore over the file":      {first(func(*walk) {}), run, walkRows, true},
		"restore over the object":    {first((*walk).migrate), run, walkRows, true},
		"restore after a failed way": {first(func(x *walk) { x.migrate(); sealed(x) }), run, walkRows, true},
		"restore who came back":      {first(func(x *walk) { x.migrate(); x.engine().Rollback(x.Context(), alice, migrate.RollbackOptions{}) }), run, walkRows, true},
		"restore who was split":      {first(func(x *walk) { x.splitAt(20) }), run, walkRows, true},
		"restore and stay in R2": {first((*walk).migrate), func(x *walk, ctx context.Context, e *migrate.Engine) result.Result {
			return e.Restore(ctx, alice, x.given(e, image), migrate.RestoreOptions{StayInR2: true})
		}, walkRows, true},
	}
}

// A restore may die anywhere, as every other way: the user has what was given, or what was there before.
func TestRestoreMayDieAnywhere(t *testing.T) {
	for name, c := range restores() {
		t.Run(name, func(t *testing.T) {
			for n, ended := 0, false; !ended; n++ {
				again := n%2 == 1
				synctest.Test(t, func(t *testing.T) { ended = c.dieAfter(t, n, again) })
				if n > 200 {
					t.Fatal("it never ends")
				}
			}
		})
	}
}

// rowsOf counts the clips in a SQLite file, and checks that those that were written are the first ones.
func rowsOf(t *testing.T, path string) int {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var rows, last int
	var sound string
	err = db.QueryRow("SELECT count(*), max(id), (SELECT integrity_check FROM pragma_integrity_check) FROM clips").Scan(&rows, &last, &sound)
	if err != nil || rows != last || sound != "ok" {
		t.Errorf("%s: %d rows, the last is %d, %s: %v", path, rows, last, sound, err)
	}
	return rows
}

// What a restore replaces is kept, proved, wherever it was; what it puts is what was given.
func TestRestoreKeepsWhatItReplaces(t *testing.T) {
	for name, before := range map[string]func(*walk){
		"the file": func(*walk) {}, "the object": (*walk).migrate,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newWalk(t)
				image := x.image()
				before(x)
				x.write()
				x.write()
				e := x.engine()
				r := account(t.Context(), e, result.ActionRestore, func(ctx context.Context, _ userdb.UserID) result.Result {
					return x.restore(ctx, e, image)
				})
				if r.Err() != nil || r.Outcome != result.OutcomeReplaced || r.LeftBehind == "" || r.Digest == "" {
					t.Fatalf("%+v: %v", r, r.Err())
				}
				var left bytes.Buffer
				if _, err := x.w.Bucket.Get(t.Context(), r.LeftBehind, "", &left); err != nil {
					t.Fatal(err)
				}
				path := filepath.Join(t.TempDir(), "left.sqlite")
				if err := os.WriteFile(path, left.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
				if rows := rowsOf(t, path); rows != walkRows+2 {
					t.Errorf("%d rows were left behind, want %d", rows, walkRows+2)
				}
				serves, want := userfile.SideFile, userfile.SideFile
				if name == "the object" {
					want = userfile.SideObject
				}
				if s, err := x.engine().Inspect().Status(t.Context(), alice); err != nil || s.Problem != "" {
					t.Errorf("%+v: %v", s, err)
				} else {
					serves = s.Serves
				}
				if serves != want {
					t.Errorf("served by %s, want %s", serves, want)
				}
				if v := x.engine().Verify(t.Context(), alice); v.Err() != nil {
					t.Error(v.Err())
				}
				// What was left behind is a file like any other.
				if r := x.restore(t.Context(), x.engine(), left.Bytes()); r.Err() != nil {
					t.Fatal(r.Err())
				}
				if r := x.engine().Rollback(t.Context(), alice, migrate.RollbackOptions{}); r.Err() != nil {
					t.Fatal(r.Err())
				}
				x.atFile(walkRows + 2)
			})
		})
	}
}

// A user without a file gets one; a file that is none is refused, and nothing changes.
func TestRestoreOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newWalk(t)
		image := x.image()
		e := x.engine()
		if r := e.Restore(t.Context(), "new", x.given(e, image), migrate.RestoreOptions{}); r.Err() != nil || r.LeftBehind != "" {
			t.Errorf("%+v: %v", r, r.Err())
		}
		if s, err := e.Inspect().Status(t.Context(), "new"); err != nil || s.Serves != userfile.SideFile || s.Problem != "" {
			t.Errorf("%+v: %v", s, err)
		}
		for kind, bad := range map[userdb.Kind][]byte{
			userdb.NotSQLite: []byte(strings.Repeat("no database", 100)),
			userdb.Damaged:   append(append([]byte(nil), image[:len(image)/2]...), make([]byte, len(image)/2)...),
		} {
			if r := x.restore(t.Context(), x.engine(), bad); userdb.KindOf(r.Err()) != kind {
				t.Errorf("want %s: %v", kind, r.Err())
			}
		}
		if !bytes.Equal(x.image(), image) {
			t.Error("a file that was refused changed the user's")
		}
	})
}

// A log beside the file holds writes that the file alone lacks: on this machine, and in the bucket.
func TestRestoreRefusesAFileWithALog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newWalk(t)
		dir := t.TempDir()
		begins := []byte{0x37, 0x7f, 0x06, 0x82, 0, 0, 0, 0}
		for name, content := range map[string][]byte{"alice.sqlite": x.image(), "alice.sqlite-wal": begins} {
			if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
				t.Fatal(err)
			}
			key := userdb.ObjectKey("uploads/" + name)
			if _, err := x.w.Bucket.Put(t.Context(), key, bytes.NewReader(content), int64(len(content)), userdb.PutOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		e := x.engine()
		files := func() (migrate.Files, error) { return x.w.Bucket, nil }
		for _, from := range []string{dir, filepath.Join(dir, "alice.sqlite"), "r2:uploads/", "r2:uploads/alice.sqlite"} {
			sources, err := backup.Find(t.Context(), from, []userdb.UserID{alice}, files)
			if err != nil {
				t.Fatal(err)
			}
			r := sources.Job(e, migrate.RestoreOptions{})(t.Context(), alice)
			if problems := sqlitefile.ProblemsOf(r.Err()); len(problems) != 1 || problems[0].Code != sqlitefile.ReasonLogBeside {
				t.Errorf("%s: %v", from, r.Err())
			}
		}
	})
}

// A split user is backed up whole, and a restore makes the user whole.
func TestSplitUsersAreBackedUpAndRestored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newWalk(t)
		image := x.image()
		x.write()
		x.splitAt(20)
		if rows, err := x.backedUp(x.engine(), t.TempDir()); err != nil || rows != walkRows+1 {
			t.Fatalf("%d rows: %v", rows, err)
		}
		r := x.restore(t.Context(), x.engine(), image)
		if r.Err() != nil || r.Outcome != result.OutcomeReplaced || !r.WasSplit || !r.Flag.DeleteSplit || r.LeftBehind == "" {
			t.Fatalf("%+v: %v", r, r.Err())
		}
		x.atFile(walkRows)
	})
}

// backedUp makes a backup, and returns how many rows it has. The count is of one moment: no smaller than what
// was acknowledged before, no larger than what was begun after.
func (x *walk) backedUp(e *migrate.Engine, dir string) (int, error) {
	target, err := backup.NewTarget(dir, x.w.Bucket, x.w.Layout)
	if err != nil {
		return 0, err
	}
	r := target.Job(e)(x.Context(), alice)
	if r.Err() != nil {
		return 0, r.Err()
	}
	if check := target.Check(x.Context(), e, alice); check.Err() != nil {
		x.Error(check.Err())
	}
	db, err := sqlitefile.Open(x.Context(), r.SavedTo)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	digest, err := db.Digest(x.Context())
	if err != nil || digest.Database != r.Digest {
		x.Errorf("the digest is %s, told was %s: %v", digest.Database, r.Digest, err)
	}
	return rowsOf(x.T, r.SavedTo), nil
}

// distant are Durable Objects on the other side of a network, so that writes come between two answers.
type distant struct{ migrate.Stores }

const farAway = 7 * time.Millisecond

func (d distant) FreshDigest(ctx context.Context, u userdb.UserID) (wire.DigestReport, error) {
	time.Sleep(farAway)
	return d.Stores.FreshDigest(ctx, u)
}

func (d distant) ExportSchema(ctx context.Context, u userdb.UserID) (wire.ExportSchema, error) {
	time.Sleep(farAway)
	return d.Stores.ExportSchema(ctx, u)
}

func (d distant) ExportRows(ctx context.Context, u userdb.UserID, req wire.ExportRequest) (*wire.ExportPage, error) {
	time.Sleep(farAway)
	return d.Stores.ExportRows(ctx, u, req)
}

type distantReads struct {
	migrate.Snapshots
	before bool // the Worker knows nothing of whole tables
	cuts   bool // digests end because of their bytes
}

func (d distantReads) ReadAll(ctx context.Context, u userdb.UserID) (*wire.Exported, error) {
	time.Sleep(farAway)
	all, err := d.Snapshots.ReadAll(ctx, u)
	time.Sleep(farAway)
	return all, err
}

func (d distantReads) Follow(ctx context.Context, u userdb.UserID, req wire.FollowRequest) (*wire.Followed, error) {
	time.Sleep(farAway)
	if d.before {
		req.Virtual, req.Whole = false, nil
	}
	if !d.cuts || req.Check == nil || req.Check.Limit == 1 {
		return d.Snapshots.Follow(ctx, u, req)
	}
	part := *req.Check
	part.Limit /= 2
	req.Check = &part
	at, err := d.Snapshots.Follow(ctx, u, req)
	if err == nil && at.Check != nil {
		at.Check.More = at.Check.Rows == part.Limit
	}
	return at, err
}

// TestBackupIsOfOneMoment: while the application writes and the user moves there and back, each backup holds
// every write that was acknowledged before it and none that was begun after it, in their order.
func TestBackupIsOfOneMoment(t *testing.T) {
	for name, c := range map[string]struct {
		atOnce int64
		pause  time.Duration
		old    bool // the Worker answers no copy
		before bool // it sends no whole tables
		cuts   bool // its digests end because of their bytes
	}{
		"in one request":                    {1 << 20, 5 * time.Millisecond, false, false, false},
		"followed":                          {0, 5 * time.Millisecond, false, false, false},
		"followed, from a Worker of before": {0, 5 * time.Millisecond, false, true, false},
		"followed, of long rows":            {0, 5 * time.Millisecond, false, false, true},
		"page by page":                      {0, 100 * time.Millisecond, true, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newWalk(t)
				var begun, done atomic.Int64
				stop := make(chan struct{})
				var all sync.WaitGroup
				all.Go(func() {
					for {
						select {
						case <-stop:
							return
						case <-time.After(c.pause):
							begun.Add(1)
							x.write()
							done.Add(1)
						}
					}
				})
				made := 0
				for round := range 12 {
					e := x.engine()
					e.SnapshotBytes, e.WritePause = c.atOnce, 200*time.Millisecond
					e.Stores, e.Snapshots = distant{e.Stores}, distantReads{e.Snapshots, c.before, c.cuts}
					if c.old {
						e.Snapshots = nil
					}
					switch round % 4 {
					case 1:
						x.migrate()
					case 3:
						if r := x.engine().Rollback(t.Context(), alice, migrate.RollbackOptions{}); r.Err() != nil {
							t.Error(r.Err())
						}
					}
					before := done.Load()
					rows, err := x.backedUp(e, t.TempDir())
					after := begun.Load()
					if err != nil {
						t.Errorf("round %d: %v", round, err)
						continue
					}
					made++
					if n := int64(rows - walkRows); n < before || n > after {
						t.Errorf("round %d: %d writes, %d were acknowledged before and %d begun by its end", round, n, before, after)
					}
				}
				close(stop)
				all.Wait()
				t.Logf("%d backups, %d writes", made, done.Load())
				if made < 10 || done.Load() == 0 {
					t.Errorf("%d backups, %d writes", made, done.Load())
				}
			})
		})
	}
}

// A backup may die anywhere, and a copy is there whole or not at all. The same command again goes on.
func TestBackupMayDieAnywhere(t *testing.T) {
	for name, before := range map[string]func(*walk){"file": func(*walk) {}, "object": (*walk).migrate} {
		for _, place := range []string{"folder", "bucket"} {
			t.Run(name+" to a "+place, func(t *testing.T) {
				for n, ended := 0, false; !ended; n++ {
					synctest.Test(t, func(t *testing.T) { ended = diesInBackup(t, before, place, n) })
				}
			})
		}
	}
}

func diesInBackup(t *testing.T, before func(*walk), place string, n int) (ended bool) {
	x := newWalk(t)
	before(x)
	var late sync.WaitGroup
	line := dyingLine(n, &late)
	e := x.w.OverLine("dies", line)
	to := t.TempDir()
	if place == "bucket" {
		to = backup.InBucket + "backups/"
	}
	run := func(e *migrate.Engine) result.Result {
		target, err := backup.NewTarget(to, e.Files, x.w.Layout)
		if err != nil {
			t.Fatal(err)
		}
		return target.Job(e)(t.Context(), alice)
	}
	run(e)
	late.Wait()
	files, _ := os.ReadDir(to)
	for _, f := range files {
		rowsOf(t, filepath.Join(to, f.Name()))
	}
	if r := run(x.engine()); r.Err() != nil || r.Outcome != result.OutcomeBackedUp && r.Outcome != result.OutcomeAlready {
		t.Errorf("request %d, again: %s %v", n, r.Outcome, r.Err())
	}
	if r := run(x.engine()); r.Outcome != result.OutcomeAlready {
		t.Errorf("request %d, a third time: %s %v", n, r.Outcome, r.Err())
	}
	return !line.Died()
}

func dyingLine(n int, late *sync.WaitGroup) *world.Line {
	line := world.NewLine(rand.New(rand.NewPCG(uint64(n), 1)), world.Trouble{}, late)
	line.DieAfter(n)
	return line
}

// TestTwoBackupsToOnePlace: another backup keeps its copy while this one is made, of another moment. That one
// stays, and neither calls it different from what was written.
func TestTwoBackupsToOnePlace(t *testing.T) {
	for _, place := range []string{"folder", "bucket"} {
		t.Run(place, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newWalk(t)
				x.migrate()
				to := t.TempDir()
				if place == "bucket" {
					to = backup.InBucket + "backups/"
				}
				target := func() *backup.Target {
					target, err := backup.NewTarget(to, x.w.Bucket, x.w.Layout)
					if err != nil {
						t.Fatal(err)
					}
					return target
				}
				slow, fast := target(), target()
				e := x.engine()
				var theirs result.Result
				e.Observe = func(ev result.Event) {
					if ev.Stage == result.StageExport && theirs.User == "" {
						x.write()
						theirs = fast.Job(x.engine())(t.Context(), alice)
					}
				}
				ours := slow.Job(e)(t.Context(), alice)
				if theirs.Outcome != result.OutcomeBackedUp || ours.Outcome != result.OutcomeAlready || ours.Bytes != theirs.Bytes {
					t.Errorf("theirs %s with %d bytes, ours %s with %d: %v %v",
						theirs.Outcome, theirs.Bytes, ours.Outcome, ours.Bytes, theirs.Err(), ours.Err())
				}
				for name, each := range map[string]*backup.Target{"theirs": fast, "ours": slow} {
					if r := each.Check(t.Context(), x.engine(), alice); r.Err() != nil {
						t.Errorf("%s: %v", name, r.Err())
					}
				}
			})
		})
	}
}
