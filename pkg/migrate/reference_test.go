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
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

const referencePolicy = "reference = ['owners']\n[tables.items]\nwhere = 'done'\n"

// newSplitWalk splits a user with a reference table.
func newSplitWalk(t *testing.T) *walk {
	t.Helper()
	x := &walk{t, world.New(t.TempDir())}
	x.put(`CREATE TABLE owners (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT);
		CREATE TABLE items (id INTEGER PRIMARY KEY AUTOINCREMENT, owner INTEGER REFERENCES owners, done INTEGER);
		CREATE TABLE log (id INTEGER PRIMARY KEY AUTOINCREMENT); CREATE TABLE spare (a);
		INSERT INTO owners VALUES (1, 'a'), (2, 'b');
		INSERT INTO items (owner, done) VALUES (1, 1), (1, 0), (2, 1), (2, 0)`)
	if r := x.splitBy(referencePolicy); r.Err() != nil || r.Outcome != result.OutcomeSplit {
		t.Fatalf("%s: %v", r.Outcome, r.Err())
	}
	return x
}

// put makes the user's file.
func (x *walk) put(statements string) {
	x.Helper()
	path := filepath.Join(x.TempDir(), "a.sqlite")
	db, err := sql.Open("sqlite", path)
	if err == nil {
		_, err = db.Exec(statements)
	}
	if err == nil {
		err = db.Close()
	}
	if err != nil {
		x.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		x.Fatal(err)
	}
	_, err = x.w.Bucket.Put(
		x.Context(),
		x.w.Layout.Key(alice),
		bytes.NewReader(content),
		int64(len(content)),
		userdb.PutOptions{IfNoneMatch: true},
	)
	if err != nil {
		x.Fatal(err)
	}
}

func (x *walk) splitBy(text string) result.Result {
	x.Helper()
	path := filepath.Join(x.TempDir(), "cold.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		x.Fatal(err)
	}
	policy, err := split.LoadPolicy(path)
	if err != nil {
		x.Fatal(err)
	}
	e := x.engine()
	opts := migrate.SplitOptions{Policy: policy, At: time.Unix(1_800_000_000, 0)}
	return account(x.Context(), e, result.ActionMigrate, func(ctx context.Context, u userdb.UserID) result.Result {
		return e.Split(ctx, u, opts)
	})
}

// do runs a statement through the router, on the hot rows.
func (x *walk) do(statement string) {
	x.Helper()
	router := &world.Router{
		World:    x.w,
		Network:  direct{},
		FlagAge:  func() time.Duration { return 0 },
		Deadline: time.Minute,
	}
	err := router.Do(x.Context(), alice, world.Query{Write: true, Run: func(c *sql.Conn) error {
		_, err := c.ExecContext(x.Context(), statement)
		return err
	}})
	if err != nil {
		x.Fatal(err)
	}
}

// hot is the answer of the user's file to a query of one text.
func (x *walk) hot(query string) (text string) {
	x.Helper()
	var body bytes.Buffer
	if _, err := x.w.Bucket.Get(x.Context(), x.w.Layout.Key(alice), "", &body); err != nil {
		x.Fatal(err)
	}
	path := filepath.Join(x.TempDir(), "hot.sqlite")
	if err := os.WriteFile(path, body.Bytes(), 0o600); err != nil {
		x.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		x.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(query).Scan(&text); err != nil {
		x.Fatal(err)
	}
	return text
}

// Each command brings the copy of a reference table up to date, and a rollback takes the hot rows of it.
func TestReferenceTablesFollowTheFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newSplitWalk(t)
		const cold = "SELECT group_concat(id || name, ' ') FROM owners"
		if got := x.cold(cold); got != "1a 2b" {
			t.Errorf("the copy is %q", got)
		}
		if r := x.splitBy(referencePolicy); r.Err() != nil || r.Outcome != result.OutcomeAlready {
			t.Errorf("nothing changed, and it is %s: %v", r.Outcome, r.Err())
		}
		x.do("UPDATE owners SET name = 'B' WHERE id = 2")
		x.do("INSERT INTO owners (name) VALUES ('c')")
		if r := x.splitBy(referencePolicy); r.Err() != nil || r.Outcome != result.OutcomeSplit {
			t.Errorf("the table changed, and it is %s: %v", r.Outcome, r.Err())
		}
		if got := x.cold(cold); got != "1a 2B 3c" {
			t.Errorf("the copy is %q", got)
		}
		if r := x.engine().Rollback(t.Context(), alice, migrate.RollbackOptions{}); r.Err() != nil {
			t.Fatal(r.Err())
		}
		if got := x.hot("SELECT group_concat(id || owner, ' ') FROM items"); got != "11 21 32 42" {
			t.Errorf("after the merge: %q", got)
		}
	})
}

// A copy that was written all the same stops the merge, and the user stays split.
func TestWrittenCopyStopsTheMerge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newSplitWalk(t)
		x.coldDo("UPDATE owners SET name = 'x' WHERE id = 1")
		r := x.engine().Rollback(t.Context(), alice, migrate.RollbackOptions{})
		if userdb.KindOf(r.Err()) != userdb.Conflict || r.Open || !strings.Contains(r.Err().Error(), "reference table was written: owners") {
			t.Errorf("open %v: %v", r.Open, r.Err())
		}
		x.coldDo("UPDATE owners SET name = 'a' WHERE id = 1")
		if r := x.engine().Rollback(t.Context(), alice, migrate.RollbackOptions{}); r.Err() != nil {
			t.Fatal(r.Err())
		}
	})
}

// mergeConflicts are writes after which the two halves cannot be merged, and what has to be said of them.
var mergeConflicts = map[string]struct {
	hot, cold []string
	want      []string
}{
	"a key": {[]string{"INSERT INTO items VALUES (1, 1, 0)"}, nil, []string{"under the same id: 1"}},
	"a log that counts on both sides": {
		[]string{"INSERT INTO log DEFAULT VALUES"}, []string{"INSERT INTO log DEFAULT VALUES"}, []string{"under the same id: 1"},
	},
	"a column": {[]string{"ALTER TABLE items ADD note TEXT; UPDATE items SET done = 0 WHERE id = 2"}, nil, []string{"hot has `, note TEXT`"}},
	"all of it": {
		[]string{"INSERT INTO items VALUES (1, 1, 0)", "INSERT INTO log DEFAULT VALUES", "ALTER TABLE spare ADD b; UPDATE items SET done = 0 WHERE id = 2"},
		[]string{"INSERT INTO log DEFAULT VALUES", "UPDATE owners SET name = 'x' WHERE id = 1"},
		[]string{"table items", "table log", "spare is not the same", "reference table was written: owners"},
	},
}

// What stands in the way of a merge is found before anybody waits: by verify, by a rehearsal, and by the
// rollback itself, all of it at once.
func TestConflictsAreFoundBeforeTheFence(t *testing.T) {
	for name, c := range mergeConflicts {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newSplitWalk(t)
				before, err := x.w.Objects.Status(t.Context(), alice)
				if err != nil {
					t.Fatal(err)
				}
				e := x.engine()
				if r := e.Verify(t.Context(), alice); r.Err() != nil {
					t.Fatalf("before: %v", r.Err())
				}
				if r := e.Rehearse(t.Context(), alice); r.Err() != nil || r.Outcome != result.OutcomeRehearsed {
					t.Fatalf("before: %s, %v", r.Outcome, r.Err())
				}
				for _, statement := range c.hot {
					x.do(statement)
				}
				for _, statement := range c.cold {
					x.coldDo(statement)
				}
				for command, r := range map[string]result.Result{
					"verify":   e.Verify(t.Context(), alice),
					"rehearse": e.Rehearse(t.Context(), alice),
					"rollback": e.Rollback(t.Context(), alice, migrate.RollbackOptions{}),
				} {
					if userdb.KindOf(r.Err()) != userdb.Conflict || r.Open || r.Window > 0 {
						t.Errorf("%s: %s, window %s: %v", command, r.Outcome, r.Window, r.Err())
						continue
					}
					for _, want := range c.want {
						if !strings.Contains(r.Err().Error(), want) {
							t.Errorf("%s: %q is not in: %v", command, want, r.Err())
						}
					}
				}
				after, err := x.w.Objects.Status(t.Context(), alice)
				if err != nil || after.Gen != before.Gen || after.Phase != userdb.Cold {
					t.Errorf("somebody claimed: %+v, %v", after, err)
				}
			})
		})
	}
}

// A rehearsal and a dry run with --prefer end as the rollback with it does.
func TestAPreferenceIsRehearsed(t *testing.T) {
	for name, c := range mergeConflicts {
		for _, prefer := range []split.Prefer{split.PreferHot, split.PreferCold} {
			t.Run(name+", "+string(prefer), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					x := newSplitWalk(t)
					for _, statement := range c.hot {
						x.do(statement)
					}
					for _, statement := range c.cold {
						x.coldDo(statement)
					}
					e := x.engine()
					rehearsed := e.RehearsePreferring(t.Context(), alice, prefer)
					tried := e.TryMergePreferring(t.Context(), alice, prefer)
					st, err := x.w.Objects.Status(t.Context(), alice)
					if err != nil || st.Phase != userdb.Cold {
						t.Fatalf("%s, %v", st.Phase, err)
					}
					real := e.Rollback(t.Context(), alice, migrate.RollbackOptions{Prefer: prefer})
					want := userdb.KindOf(real.Err())
					if userdb.KindOf(rehearsed.Err()) != want || userdb.KindOf(tried) != want {
						t.Errorf("rolled back: %v; rehearsed: %v; tried: %v", real.Err(), rehearsed.Err(), tried)
					}
					if resolves := len(c.hot) > 0 && strings.HasPrefix(c.hot[0], "INSERT") && len(c.hot) == 1; resolves && want != "" {
						t.Errorf("a key is not resolved: %v", real.Err())
					}
				})
			})
		}
	}
}

// Wherever a rollback that prefers a side dies, the next one ends it: the rows of that side stay, and the
// other half is kept whole.
func TestPreferredSideAfterEveryDeath(t *testing.T) {
	kills := effort.Numbered(t, "deaths", 60, 4)
	for prefer, want := range map[split.Prefer]string{
		split.PreferHot:  "1:7 2:0 3:1 4:0",
		split.PreferCold: "1:1 2:0 3:1 4:0",
	} {
		for _, n := range kills {
			synctest.Test(t, func(t *testing.T) {
				x := newSplitWalk(t)
				x.do("INSERT INTO items VALUES (1, 1, 7)")
				var late sync.WaitGroup
				line := world.NewLine(rand.New(rand.NewPCG(uint64(n), 3)), world.Trouble{}, &late)
				line.DieAfter(n)
				opts := migrate.RollbackOptions{Prefer: prefer}
				x.w.OverLine("dies", line).Rollback(t.Context(), alice, opts)
				late.Wait()
				if r := x.engine().Rollback(t.Context(), alice, opts); r.Err() != nil {
					t.Fatalf("%s, after death %d: %v", prefer, n, r.Err())
				}
				const all = "SELECT group_concat(id || ':' || done, ' ') FROM (SELECT * FROM items ORDER BY id)"
				if got := x.hot(all); got != want {
					t.Errorf("%s, after death %d: %s", prefer, n, got)
				}
				saved := 0
				err := x.w.Bucket.List(t.Context(), ".dbmigrate/left-behind/", "", func(o []userdb.Object, _ []string) error {
					saved += len(o)
					return nil
				})
				if err != nil || saved == 0 {
					t.Errorf("%s, after death %d: nothing is kept: %v", prefer, n, err)
				}
			})
		}
	}
}

// What the application takes out of the archive comes home with the next split.
func TestUnarchivedRowsComeHome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newSplitWalk(t)
		x.coldDo("UPDATE items SET done = 0 WHERE id = 3")
		if r := x.splitBy(referencePolicy); r.Err() != nil || r.Outcome != result.OutcomeSplit {
			t.Fatalf("%s: %v", r.Outcome, r.Err())
		}
		if got := x.hot("SELECT group_concat(id, ' ') FROM items"); got != "2 3 4" {
			t.Errorf("hot: %q", got)
		}
		if got := x.cold("SELECT group_concat(id, ' ') FROM items"); got != "1" {
			t.Errorf("cold: %q", got)
		}
		x.coldDo("UPDATE items SET done = 2 WHERE id = 1") // it is cold still
		if r := x.splitBy(referencePolicy); r.Err() != nil || r.Outcome != result.OutcomeAlready {
			t.Errorf("%s: %v", r.Outcome, r.Err())
		}
	})
}

// A run says why nothing moves.
func TestSplitSaysWhyRowsStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := &walk{t, world.New(t.TempDir())}
		x.put(`CREATE TABLE owners (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO owners VALUES (1, 'a');
			CREATE TABLE items (id INTEGER PRIMARY KEY AUTOINCREMENT, owner REFERENCES owners); INSERT INTO items VALUES (1, 1)`)
		r := x.splitBy("crossing = 'stay-hot'\n[tables.items]\nwhere = '1'")
		const want = `no row can move: items: 1 row matches; 1 stays hot: owner refers to hot owners (reference = ["owners"] `
		if r.Outcome != result.OutcomeNothing || !strings.HasPrefix(r.Reason, want) {
			t.Errorf("%s: %s, %v", r.Outcome, r.Reason, r.Err())
		}
		if r := x.splitBy("[tables.items]\nwhere = '1'"); userdb.KindOf(r.Err()) != userdb.Blocked {
			t.Errorf("%s: %v", r.Outcome, r.Err())
		}
	})
}

// coldDo runs a statement on the cold rows.
func (x *walk) coldDo(statement string) {
	x.Helper()
	err := x.w.Objects.Cold(x.Context(), alice, world.Query{Write: true, Run: func(c *sql.Conn) error {
		_, err := c.ExecContext(x.Context(), statement)
		return err
	}})
	if err != nil {
		x.Fatal(err)
	}
}

// cold is the answer of the cold rows to a query of one text.
func (x *walk) cold(query string) (text string) {
	x.Helper()
	err := x.w.Objects.Cold(x.Context(), alice, world.Query{Run: func(c *sql.Conn) error {
		return c.QueryRowContext(x.Context(), query).Scan(&text)
	}})
	if err != nil {
		x.Fatal(err)
	}
	return text
}
