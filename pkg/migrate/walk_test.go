package migrate_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/gc"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

const walkRows = 40

// walkImage is the file with which the user of each walk begins: thousands of walks share one.
var walkImage = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "dbmigrate-walk-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "a.sqlite")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return nil, err
	}
	_, err = db.Exec(
		`CREATE TABLE clips (id INTEGER PRIMARY KEY AUTOINCREMENT, made INTEGER, name TEXT); CREATE TABLE tags (clip INTEGER REFERENCES clips, tag TEXT);
		CREATE INDEX byname ON clips (name);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ?) INSERT INTO clips SELECT i, i, 'clip ' || i FROM n;
		INSERT INTO tags SELECT id, 'tag' FROM clips`,
		walkRows,
	)
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

// walk is a world with one user, and what commands do to that user.
type walk struct {
	*testing.T
	w *world.World
}

func newWalk(t *testing.T) *walk {
	t.Helper()
	w := world.New(t.TempDir())
	content, err := walkImage()
	if err != nil {
		t.Fatal(err)
	}
	key := w.Layout.Key(alice)
	if _, err := w.Bucket.Put(t.Context(), key, bytes.NewReader(content), int64(len(content)), userdb.PutOptions{IfNoneMatch: true}); err != nil {
		t.Fatal(err)
	}
	return &walk{t, w}
}

// engine is one operator's.
func (x *walk) engine() *migrate.Engine {
	e := x.w.Engine("run", x.w.Bucket, x.w.Objects, x.w.Objects)
	e.Quarantine = nil
	return e
}

// account runs do as a command does, with receipt and flag.
func account(
	ctx context.Context,
	e *migrate.Engine,
	action result.Action,
	do func(context.Context, userdb.UserID) result.Result,
) (got result.Result) {
	fleet.Each(ctx, e, []userdb.UserID{alice}, action, do, func(r result.Result) { got = r })
	return got
}

func (x *walk) migrate() {
	x.Helper()
	e := x.engine()
	if r := account(x.Context(), e, result.ActionMigrate, e.Migrate); r.Err() != nil {
		x.Fatal(r.Err())
	}
}

func (x *walk) split(below int) migrate.SplitOptions {
	x.Helper()
	path := filepath.Join(x.TempDir(), "cold.toml")
	if err := os.WriteFile(path, fmt.Appendf(nil, "[tables.clips]\nwhere = \"made < %d\"\n[tables.tags]\n", below), 0o600); err != nil {
		x.Fatal(err)
	}
	policy, err := split.LoadPolicy(path)
	if err != nil {
		x.Fatal(err)
	}
	return migrate.SplitOptions{Policy: policy, At: time.Unix(1_800_000_000, 0)}
}

func (x *walk) splitAt(below int) {
	x.Helper()
	e, opts := x.engine(), x.split(below)
	r := account(
		x.Context(),
		e,
		result.ActionMigrate,
		func(ctx context.Context, u userdb.UserID) result.Result { return e.Split(ctx, u, opts) },
	)
	if r.Err() != nil {
		x.Fatal(r.Err())
	}
}

type direct struct{}

func (direct) Call(_ context.Context, op func() error) error { return op() }

// write adds a row through the router, wherever the user is.
func (x *walk) write() {
	x.Helper()
	router := &world.Router{
		World:    x.w,
		Network:  direct{},
		FlagAge:  func() time.Duration { return 0 },
		Deadline: time.Minute,
	}
	err := router.Do(x.Context(), alice, world.Query{Write: true, Run: func(c *sql.Conn) error {
		_, err := c.ExecContext(x.Context(), "INSERT INTO clips (made, name) VALUES (1000, 'written')")
		return err
	}})
	if err != nil {
		x.Fatal(err)
	}
}

// atFile demands that the file serves, unfenced and whole, with so many rows.
func (x *walk) atFile(rows int) {
	x.Helper()
	var body bytes.Buffer
	if _, err := x.w.Bucket.Get(x.Context(), x.w.Layout.Key(alice), "", &body); err != nil {
		x.Fatal(err)
	}
	mark, err := userdb.ParseMark(body.Bytes())
	if err != nil || mark.Kind == userdb.FenceMark {
		x.Fatalf("the file carries a %v: %v", mark.Kind, err)
	}
	path := filepath.Join(x.TempDir(), "after.sqlite")
	if err := os.WriteFile(path, body.Bytes(), 0o600); err != nil {
		x.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		x.Fatal(err)
	}
	defer db.Close()
	var clips, tags int
	if err := db.QueryRow("SELECT (SELECT count(*) FROM clips), (SELECT count(*) FROM tags)").Scan(&clips, &tags); err != nil ||
		clips != rows ||
		tags != walkRows {
		x.Errorf("%d clips and %d tags, want %d and %d: %v", clips, tags, rows, walkRows, err)
	}
}

// singly runs a command beside a Worker that takes no composite requests.
func singly(
	run func(*walk, context.Context, *migrate.Engine) result.Result,
) func(*walk, context.Context, *migrate.Engine) result.Result {
	return func(x *walk, ctx context.Context, e *migrate.Engine) result.Result {
		return run(x, ctx, world.Stepwise(e))
	}
}

type way struct {
	before   func(*walk)
	run      func(*walk, context.Context, *migrate.Engine) result.Result
	rows     int
	discards bool
}

func ways() map[string]way {
	back := func(opts migrate.RollbackOptions) func(*walk, context.Context, *migrate.Engine) result.Result {
		return func(_ *walk, ctx context.Context, e *migrate.Engine) result.Result {
			return e.Rollback(ctx, alice, opts)
		}
	}
	none, moved, halves := func(*walk) {}, func(x *walk) { x.migrate() }, func(x *walk) { x.splitAt(20) }
	written := func(x *walk) { x.migrate(); x.write() }
	divide := func(below int) func(*walk, context.Context, *migrate.Engine) result.Result {
		return func(x *walk, ctx context.Context, e *migrate.Engine) result.Result {
			return e.Split(ctx, alice, x.split(below))
		}
	}
	return map[string]way{
		"migrate": {
			none,
			func(_ *walk, ctx context.Context, e *migrate.Engine) result.Result { return e.Migrate(ctx, alice) },
			walkRows,
			false,
		},
		"migrate step by step": {
			none,
			func(_ *walk, ctx context.Context, e *migrate.Engine) result.Result {
				return world.Stepwise(e).Migrate(ctx, alice)
			},
			walkRows,
			false,
		},
		"migrate beside unconditional writers": {
			none,
			func(_ *walk, ctx context.Context, e *migrate.Engine) result.Result {
				e.Procedure = migrate.Procedure{
					Writers:        migrate.WritersUnconditional,
					KVWindow:       time.Second,
					LongestRequest: 2 * time.Second,
				}
				return e.Settle(e.Procedure)(ctx, e.Migrate(ctx, alice))
			},
			walkRows,
			false,
		},
		"migrate again": {
			moved,
			func(_ *walk, ctx context.Context, e *migrate.Engine) result.Result { return e.Migrate(ctx, alice) },
			walkRows,
			false,
		},
		"roll back":                {moved, back(migrate.RollbackOptions{}), walkRows, false},
		"roll back step by step":   {moved, singly(back(migrate.RollbackOptions{})), walkRows, false},
		"roll back writes":         {written, back(migrate.RollbackOptions{}), walkRows + 1, false},
		"... of them step by step": {written, singly(back(migrate.RollbackOptions{})), walkRows + 1, false},
		"discard writes":           {written, back(migrate.RollbackOptions{DiscardWrites: true}), walkRows, true},
		"rehearse": {
			written,
			func(_ *walk, ctx context.Context, e *migrate.Engine) result.Result { return e.Rehearse(ctx, alice) },
			walkRows + 1,
			false,
		},
		"split":           {none, divide(20), walkRows, false},
		"split again":     {halves, divide(20), walkRows, false},
		"split otherwise": {halves, divide(30), walkRows, false},
		"split who moved": {moved, divide(20), walkRows, false},
		"merge":           {halves, back(migrate.RollbackOptions{}), walkRows, false},
		"whole": {
			halves,
			func(_ *walk, ctx context.Context, e *migrate.Engine) result.Result { return e.Whole(ctx, alice) },
			walkRows,
			false,
		},
		"thaw": {halves, func(x *walk, ctx context.Context, e *migrate.Engine) result.Result {
			opts := x.split(5)
			opts.Thaw = true
			return e.Split(ctx, alice, opts)
		}, walkRows, false},
	}
}

// Each way of a user ends well, wherever the command that goes it dies: a rollback afterwards finds the user
// whole, and so does one after another try of the same.
func TestEveryWayMayDieAnywhere(t *testing.T) {
	for name, c := range ways() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n, ended := 0, false; !ended; n++ {
				again := n%2 == 1 // request n and request n+1 are mostly of one step
				synctest.Test(t, func(t *testing.T) { ended = c.dieAfter(t, n, again) })
				if n > 200 {
					t.Fatal("it never ends")
				}
			}
		})
	}
}

func (c way) dieAfter(t *testing.T, n int, again bool) (ended bool) {
	x := newWalk(t)
	c.before(x)
	var late sync.WaitGroup
	line := world.NewLine(rand.New(rand.NewPCG(uint64(n), 1)), world.Trouble{}, &late)
	line.DieAfter(n)
	r := c.run(x, t.Context(), x.w.OverLine("dies", line))
	late.Wait()
	if ended = !line.Died(); ended && r.Err() != nil {
		t.Errorf("nothing happened, and yet: %v", r.Err())
	}
	if again {
		if r := c.run(x, t.Context(), x.engine()); r.Err() != nil {
			t.Errorf("after request %d, once more: %v", n, r.Err())
		}
	}
	e := x.engine()
	if r := account(t.Context(), e, result.ActionRollback, func(ctx context.Context, u userdb.UserID) result.Result {
		return e.Rollback(ctx, u, migrate.RollbackOptions{})
	}); r.Err() != nil {
		t.Fatalf("after request %d, rollback: %v", n, r.Err())
	}
	rows := c.rows
	if c.discards && !again && !ended { // the writes are there, or left behind
		x.atEither(rows)
		return ended
	}
	x.atFile(rows)
	return ended
}

// atEither accepts one row more.
func (x *walk) atEither(rows int) {
	x.Helper()
	e := x.engine()
	file, err := e.Inspect().Source().Fetch(x.Context(), alice)
	if err != nil {
		x.Fatal(err)
	}
	defer file.Remove()
	db, err := sql.Open("sqlite", file.Path)
	if err != nil {
		x.Fatal(err)
	}
	defer db.Close()
	var clips int
	if err := db.QueryRow("SELECT count(*) FROM clips").Scan(&clips); err != nil ||
		clips != rows && clips != rows+1 {
		x.Errorf("%d clips: %v", clips, err)
	}
}

// Every look sees the same user, wherever the user is.
func TestLooksAgreeEverywhere(t *testing.T) {
	for name, c := range map[string]struct {
		before func(*walk)
		side   userfile.Side
		place  inspect.Place
		verify result.Outcome
		back   inspect.Way
	}{
		"at the file": {func(*walk) {}, userfile.SideFile, inspect.PlaceFile, result.OutcomeInR2, inspect.WayNothing},
		"migrated":    {func(x *walk) { x.migrate() }, userfile.SideObject, inspect.PlaceObject, result.OutcomeEqual, inspect.WayRestore},
		"written":     {func(x *walk) { x.migrate(); x.write() }, userfile.SideObject, inspect.PlaceObject, result.OutcomeWritten, inspect.WayExport},
		"split":       {func(x *walk) { x.splitAt(20) }, userfile.SideSplit, inspect.PlaceSplit, result.OutcomeEqual, inspect.WayMerge},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newWalk(t)
				c.before(x)
				i, ctx := x.engine().Inspect(), t.Context()
				if s, err := i.Status(ctx, alice); err != nil || s.Serves != c.side || s.Problem != "" {
					t.Errorf("status: %+v, %v", s, err)
				}
				if found, err := i.Scan(ctx, inspect.ScanOptions{Marks: true}); err != nil ||
					len(found) != 1 ||
					found[0].Place != c.place {
					t.Errorf("scan: %+v, %v", found, err)
				}
				if found, err := i.LookUp(ctx, []userdb.UserID{alice, "nobody"}); err != nil ||
					found[0].Place != c.place ||
					found[1].Place != inspect.PlaceMissing {
					t.Errorf("look up: %+v, %v", found, err)
				}
				moved, err := i.Moved(ctx, inspect.ScanOptions{}, time.Time{})
				if err != nil || (len(moved) == 1) != (c.place != inspect.PlaceFile) {
					t.Errorf("moved: %+v, %v", moved, err)
				}
				for _, f := range moved {
					if got, ok, err := i.Recorded(ctx, alice, f.Flag.Lineage.Claim(), f.Flag); err != nil ||
						!ok ||
						got.Place != c.place {
						t.Errorf("recorded: %+v %v, %v", got, ok, err)
					}
				}
				flagged := 0
				unflagged, err := i.Survey(ctx, "", func(inspect.FlaggedUser) error { flagged++; return nil })
				if err != nil || flagged+unflagged != 1 || (flagged == 1) != (c.place != inspect.PlaceFile) {
					t.Errorf("survey: %d with a flag, %d without, %v", flagged, unflagged, err)
				}
				if r := i.Verify(ctx, alice); r.Err() != nil || r.Outcome != c.verify {
					t.Errorf("verify: %s, %v", r.Outcome, r.Err())
				}
				p, err := i.Preview(ctx, alice, inspect.PreviewOptions{Compare: 10, Show: 5})
				if err != nil || p.Plan != c.back || (name == "written") != (len(p.Tables) > 0) {
					t.Errorf("preview: %+v, %v", p, err)
				}
				if report, err := i.LookDeep(ctx, alice); err != nil || report.Err() != nil {
					t.Errorf("scan --deep: %v, %v", report.Err(), err)
				}
				if plan, _, err := i.LookSplit(ctx, alice, x.split(20).Policy, time.Unix(1_800_000_000, 0)); err != nil ||
					plan.Empty() != (name == "split") {
					t.Errorf("look at a split: %v", err)
				}
				if why, err := gc.Explain(ctx, i, alice, 0); err != nil ||
					why.Free != (c.place == inspect.PlaceObject) {
					t.Errorf("explain: %+v, %v", why, err)
				}
			})
		})
	}
}

// A difference that no write explains is named, row by row.
func TestVerifyNamesWhatDiffers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newWalk(t)
		x.migrate()
		x.write()
		i := x.engine().Inspect()
		i.Stores = forgetful{i.Stores}
		r := i.Verify(t.Context(), alice)
		if userdb.KindOf(r.Err()) != userdb.Mismatch || r.Outcome != result.OutcomeDifferent ||
			len(r.Differences) < 2 {
			t.Errorf("%s: %v %q", r.Outcome, r.Err(), r.Differences)
		}
	})
}

// noFlags are flags that cannot be read.
type noFlags struct{ inspect.Flags }

func (noFlags) Get(context.Context, []userdb.UserID) (map[userdb.UserID]userdb.Flag, error) {
	return nil, &userdb.Error{Op: "get flags", Kind: userdb.Throttled, Err: errors.New("answer 429")}
}

// gc frees exactly what was planned, keeps what it archived, and a rollback still works from the tombstone.
func TestPlanAndExecute(t *testing.T) {
	run := func(ctx context.Context, users []inspect.Found, do func(context.Context, userdb.UserID) result.Result) error {
		for _, f := range users {
			if r := do(ctx, f.User); r.Err() != nil || r.Outcome != result.OutcomeFreed {
				return fmt.Errorf("%s: %s %w", f.User, r.Reason, r.Err())
			}
		}
		return nil
	}
	for name, free := range map[string]func(context.Context, *gc.Collector, gc.Plan) error{
		"by its name": func(ctx context.Context, c *gc.Collector, p gc.Plan) error {
			if err := p.Confirm("another"); userdb.KindOf(err) != userdb.Usage {
				return fmt.Errorf("another name: %w", err)
			}
			if err := p.Confirm(p.Digest()); err != nil {
				return err
			}
			return c.Execute(ctx, p, run)
		},
		"after a hold": func(ctx context.Context, c *gc.Collector, p gc.Plan) error {
			if _, err := c.Mark(ctx, p, time.Hour); err != nil {
				return err
			}
			marks, err := c.Marks(ctx)
			if err != nil {
				return err
			}
			if left := c.Take(marks, &gc.Limit{}); !left.LeavesSome() {
				return fmt.Errorf("a limit of none takes all")
			}
			if twice := c.Take(append(marks, marks...), nil); !twice.LeavesSome() {
				return fmt.Errorf("a user in two marks is taken twice")
			}
			unread := *c.Inspector
			unread.Flags = noFlags{c.Flags}
			down := &gc.Collector{Inspector: &unread, Objects: c.Objects}
			for name, due := range map[string]*gc.Due{"nothing begun": c.Take(marks, nil), "flags unread": down.Take(marks, nil)} {
				if name == "flags unread" && due.Execute(ctx, run) == nil {
					return fmt.Errorf("%s: no error", name)
				}
				if err := due.End(ctx); err != nil {
					return err
				}
				if left, err := c.Marks(ctx); err != nil || len(left) != len(marks) {
					return fmt.Errorf("%s: the mark is gone, %w", name, err)
				}
			}
			due := c.Take(marks, nil)
			if err := errors.Join(due.Execute(ctx, run), due.End(ctx)); err != nil {
				return err
			}
			if left, err := c.Marks(ctx); err != nil || len(left) != 0 {
				return fmt.Errorf("%d marks are left, %w", len(left), err)
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newWalk(t)
				x.migrate()
				ctx, e := t.Context(), x.engine()
				c := e.GarbageCollector()
				found, err := e.Inspect().Scan(ctx, inspect.ScanOptions{Marks: true})
				if err != nil {
					t.Fatal(err)
				}
				if p, err := c.Plan(ctx, found, gc.Options{OlderThan: time.Hour}); err != nil ||
					len(p.Free) != 0 ||
					len(p.Keep) != 1 ||
					p.Failure() != nil {
					t.Errorf("too young: %+v, %v", p, err)
				}
				time.Sleep(2 * time.Hour)
				plan, err := c.Plan(ctx, found, gc.Options{OlderThan: time.Hour, ArchivePrefix: "archive/"})
				if err != nil || len(plan.Free) != 1 || plan.Bytes() != found[0].Bytes {
					t.Fatalf("%+v, %v", plan, err)
				}
				if capped := plan.Within(&gc.Limit{Files: 0}, "full"); len(capped.Free) != 0 ||
					len(capped.Keep) != 1 {
					t.Errorf("%+v", capped)
				}
				if err := free(ctx, c, plan); err != nil {
					t.Fatal(err)
				}
				var archived bytes.Buffer
				if _, err := x.w.Bucket.Get(ctx, gc.ArchiveKey("archive/", alice, plan.Free[0].Lin.Claim()), "", &archived); err != nil ||
					int64(archived.Len()) != plan.Bytes() {
					t.Errorf("archived %d bytes: %v", archived.Len(), err)
				}
				if r := c.Free(ctx, plan.Free[0], plan.Options); userdb.KindOf(r.Err()) != userdb.Conflict {
					t.Errorf("freed twice: %v", r.Err())
				}
				if r := e.Inspect().Verify(ctx, alice); r.Err() != nil {
					t.Error(r.Err())
				}
				if r := e.Rollback(ctx, alice, migrate.RollbackOptions{}); r.Err() != nil {
					t.Fatal(r.Err())
				}
				x.atFile(walkRows)
			})
		})
	}
}

// forgetful are Durable Objects that do not say that the application wrote.
type forgetful struct{ inspect.Stores }

func (f forgetful) FreshDigest(ctx context.Context, u userdb.UserID) (wire.DigestReport, error) {
	d, err := f.Stores.FreshDigest(ctx, u)
	d.Writes = 0
	return d, err
}

func (f forgetful) Status(ctx context.Context, u userdb.UserID) (wire.Status, error) {
	st, err := f.Stores.Status(ctx, u)
	st.Writes, st.WritesAtActivation = 0, 0
	return st, err
}

// noExport are Durable Objects with rows that cannot be read, for a reason that stays.
type noExport struct{ migrate.Stores }

func (noExport) ExportSchema(context.Context, userdb.UserID) (wire.ExportSchema, error) {
	return wire.ExportSchema{}, &userdb.Error{
		Op:   "export",
		Kind: userdb.Blocked,
		Err:  errors.New("it cannot be read"),
	}
}

// A rollback that cannot succeed gives the user back to the side, or the sides, that served before.
func TestRollbackThatFailsGivesBack(t *testing.T) {
	for name, c := range map[string]struct {
		before func(*walk)
		side   userfile.Side
		rows   int
	}{
		"migrated": {func(x *walk) { x.migrate(); x.write() }, userfile.SideObject, walkRows + 1},
		"split":    {func(x *walk) { x.splitAt(20) }, userfile.SideSplit, walkRows},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newWalk(t)
				c.before(x)
				e := x.engine()
				world.Stepwise(e).Stores = noExport{e.Stores}
				r := e.Rollback(t.Context(), alice, migrate.RollbackOptions{})
				if userdb.KindOf(r.Err()) != userdb.Blocked || r.Open {
					t.Errorf("open %v: %v", r.Open, r.Err())
				}
				if line, err := json.Marshal(r); err != nil ||
					!bytes.Contains(line, []byte(`"kind":"blocked"`)) {
					t.Errorf("%s, %v", line, err)
				}
				if s, err := x.engine().Inspect().Status(t.Context(), alice); err != nil ||
					s.Serves != c.side ||
					s.Problem != "" {
					t.Errorf("%+v, %v", s, err)
				}
				if r := x.engine().Rollback(t.Context(), alice, migrate.RollbackOptions{}); r.Err() != nil {
					t.Fatal(r.Err())
				}
				x.atFile(c.rows)
			})
		})
	}
}

// away are Durable Objects that do not answer.
type away struct{ migrate.Stores }

func (away) Status(context.Context, userdb.UserID) (wire.Status, error) {
	return wire.Status{}, &userdb.Error{Op: "status", Kind: userdb.Unreachable, Err: errors.New("no answer")}
}

// noWorker is a Worker that does not answer.
type noWorker struct{}

var errNoWorker = &userdb.Error{Op: "ask the Worker", Kind: userdb.Unreachable, Err: errors.New("no answer")}

func (noWorker) Mark(context.Context, userdb.UserID, wire.MarkRequest) (userdb.ETag, error) {
	return "", errNoWorker
}

func (noWorker) Fence(context.Context, userdb.UserID, wire.FenceRequest) (wire.Fenced, error) {
	return wire.Fenced{}, errNoWorker
}

func (noWorker) Names(context.Context, userdb.UserID) (wire.FileSeen, error) {
	return wire.FileSeen{}, errNoWorker
}

// Without the Durable Object the kept file is let free, and the next rollback ends what is left, once writes
// that no file has may go.
func TestRollbackWithoutTheObject(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newWalk(t)
		x.migrate()
		x.write()
		e := x.w.Engine("run", x.w.Bucket, away{x.w.Objects}, noWorker{})
		opts := migrate.RollbackOptions{DiscardWrites: true, StoreUnreachable: true}
		for range 2 {
			if r := e.Rollback(t.Context(), alice, opts); r.Err() != nil ||
				r.Outcome != result.OutcomeToBeSealed {
				t.Fatalf("%s: %v", r.Outcome, r.Err())
			}
		}
		if why, err := gc.Explain(t.Context(), e.Inspect(), alice, 0); err != nil || why.Free {
			t.Errorf("%+v, %v", why, err)
		}
		if r := x.engine().Rollback(t.Context(), alice, migrate.RollbackOptions{}); userdb.KindOf(
			r.Err(),
		) != userdb.Conflict {
			t.Errorf("without the word: %v", r.Err())
		}
		r := x.engine().Rollback(t.Context(), alice, migrate.RollbackOptions{DiscardWrites: true})
		if r.Err() != nil || r.LeftBehind == "" {
			t.Fatalf("%s, left behind %q: %v", r.Outcome, r.LeftBehind, r.Err())
		}
		x.atFile(walkRows)
	})
}

// A mark that the Durable Object never gave out stops every command but the one that ends it.
func TestForeignMarkIsEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newWalk(t)
		ctx, key := t.Context(), x.w.Layout.Key(alice)
		var body bytes.Buffer
		o, err := x.w.Bucket.Get(ctx, key, "", &body)
		if err != nil {
			t.Fatal(err)
		}
		marked, err := userdb.WithFence(body.Bytes(), 9, 9, make([]byte, userdb.MarkRandomBytes))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := x.w.Bucket.Put(ctx, key, bytes.NewReader(marked), int64(len(marked)), userdb.PutOptions{IfMatch: o.ETag}); err != nil {
			t.Fatal(err)
		}
		e := x.engine()
		m, err := e.Inspect().ForeignMark(ctx, alice)
		if err != nil || m == nil || m.Shown != 9 || m.SetBack {
			t.Errorf("%+v, %v", m, err)
		}
		for name, r := range map[string]result.Result{"migrate": e.Migrate(ctx, alice), "rollback": e.Rollback(ctx, alice, migrate.RollbackOptions{}),
			"verify": e.Inspect().Verify(ctx, alice), "rehearse": e.Rehearse(ctx, alice)} {
			if userdb.KindOf(r.Err()) != userdb.Conflict {
				t.Errorf("%s: %s, %v", name, r.Outcome, r.Err())
			}
		}
		if _, err := e.Inspect().Preview(ctx, alice, inspect.PreviewOptions{}); userdb.KindOf(
			err,
		) != userdb.Conflict {
			t.Errorf("preview: %v", err)
		}
		for name, change := range map[string]func(*inspect.ForeignMark){
			"another mark":    func(m *inspect.ForeignMark) { m.Shown-- },
			"another object":  func(m *inspect.ForeignMark) { m.Known++ },
			"another version": func(m *inspect.ForeignMark) { m.ETag = "another" },
			"nothing":         func(m *inspect.ForeignMark) { *m = inspect.ForeignMark{} },
		} {
			confirmed := *m
			change(&confirmed)
			r := e.Rollback(ctx, alice, migrate.RollbackOptions{EndForeignMark: &confirmed})
			if userdb.KindOf(r.Err()) != userdb.Precondition {
				t.Errorf("%s was confirmed: %s, %v", name, r.Outcome, r.Err())
			}
		}
		for _, want := range []result.Outcome{result.OutcomeLifted, result.OutcomeNothing} {
			if r := e.Rollback(ctx, alice, migrate.RollbackOptions{EndForeignMark: m}); r.Err() != nil ||
				r.Outcome != want {
				t.Errorf("%s, not %s: %v", r.Outcome, want, r.Err())
			}
		}
		x.atFile(walkRows)
	})
}

// What a command that died left behind is told by status, and preview names the way back.
func TestLooksAtWhatIsLeftOpen(t *testing.T) {
	for name, c := range ways() {
		t.Run(name, func(t *testing.T) {
			for n, died := 1, true; died; n += 3 {
				synctest.Test(t, func(t *testing.T) {
					x := newWalk(t)
					c.before(x)
					var late sync.WaitGroup
					line := world.NewLine(rand.New(rand.NewPCG(uint64(n), 2)), world.Trouble{}, &late)
					line.DieAfter(n)
					c.run(x, t.Context(), x.w.OverLine("dies", line))
					late.Wait()
					died = line.Died()
					i := x.engine().Inspect()
					s, err := i.Status(t.Context(), alice)
					if err != nil || s.Serves == userfile.SideNone && s.Next == "" {
						t.Errorf("%+v, %v", s, err)
					}
					p, err := i.Preview(t.Context(), alice, inspect.PreviewOptions{Compare: 5})
					if err != nil || p.Plan == inspect.WayNothing && s.Serves != userfile.SideFile {
						t.Errorf("%s: %+v, %v", s.Serves, p, err)
					}
					if why, err := gc.Explain(t.Context(), i, alice, 0); err != nil ||
						why.Free && s.Serves != userfile.SideObject {
						t.Errorf("%s: %+v, %v", s.Serves, why, err)
					}
					if _, err := i.Moved(t.Context(), inspect.ScanOptions{}, time.Time{}); err != nil {
						t.Error(err)
					}
				})
			}
		})
	}
}

// What cannot be done is refused by kind, and changes nothing.
func TestRefusals(t *testing.T) {
	freed := func(x *walk) {
		x.migrate()
		x.write()
		c := x.engine().GarbageCollector()
		found, err := x.engine().Inspect().Scan(x.Context(), inspect.ScanOptions{Marks: true})
		if err != nil {
			x.Fatal(err)
		}
		plan, err := c.Plan(x.Context(), found, gc.Options{})
		if err != nil || len(plan.Free) != 1 {
			x.Fatalf("%+v, %v", plan, err)
		}
		if r := c.Free(x.Context(), plan.Free[0], plan.Options); r.Err() != nil {
			x.Fatal(r.Err())
		}
	}
	lost := func(x *walk) {
		x.splitAt(20)
		if err := x.w.Bucket.Delete(x.Context(), x.w.Layout.Key(alice)); err != nil {
			x.Fatal(err)
		}
	}
	discard := migrate.RollbackOptions{DiscardWrites: true}
	for name, c := range map[string]struct {
		before func(*walk)
		run    func(*walk, context.Context, *migrate.Engine) result.Result
		kind   userdb.Kind
		want   result.Outcome
	}{
		"migrate nobody": {func(*walk) {}, func(_ *walk, ctx context.Context, e *migrate.Engine) result.Result { return e.Migrate(ctx, "nobody") }, userdb.NotFound, ""},
		"roll nobody back": {func(*walk) {}, func(_ *walk, ctx context.Context, e *migrate.Engine) result.Result {
			return e.Rollback(ctx, "nobody", migrate.RollbackOptions{})
		}, userdb.NotFound, ""},
		"discard without the kept file": {freed, func(_ *walk, ctx context.Context, e *migrate.Engine) result.Result {
			return e.Rollback(ctx, alice, discard)
		}, userdb.Conflict, ""},
		"discard of a split user": {func(x *walk) { x.splitAt(20) }, func(_ *walk, ctx context.Context, e *migrate.Engine) result.Result {
			return e.Rollback(ctx, alice, discard)
		}, userdb.Conflict, ""},
		"merge without the hot file": {lost, func(_ *walk, ctx context.Context, e *migrate.Engine) result.Result {
			return e.Rollback(ctx, alice, migrate.RollbackOptions{})
		}, userdb.Conflict, ""},
		"verify without the hot file": {lost, func(_ *walk, ctx context.Context, e *migrate.Engine) result.Result {
			return e.Inspect().Verify(ctx, alice)
		}, userdb.Conflict, ""},
		"split where nothing is cold": {func(*walk) {}, func(x *walk, ctx context.Context, e *migrate.Engine) result.Result {
			return e.Split(ctx, alice, x.split(0))
		}, "", result.OutcomeNothing},
		"split again where nothing is cold any more": {func(x *walk) { x.splitAt(20) }, func(x *walk, ctx context.Context, e *migrate.Engine) result.Result {
			opts := x.split(0)
			opts.Thaw = true
			return e.Split(ctx, alice, opts)
		}, "", result.OutcomeMerged},
		"a run that was stopped": {func(*walk) {}, func(_ *walk, ctx context.Context, e *migrate.Engine) result.Result {
			ctx, stop := context.WithCancel(ctx)
			stop()
			return account(ctx, e, result.ActionMigrate, e.Migrate)
		}, userdb.Interrupted, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newWalk(t)
				c.before(x)
				if r := c.run(x, t.Context(), x.engine()); userdb.KindOf(r.Err()) != c.kind || r.Open ||
					c.kind == "" && r.Outcome != c.want {
					t.Errorf("%s, open %v: %v", r.Outcome, r.Open, r.Err())
				}
			})
		})
	}
}
