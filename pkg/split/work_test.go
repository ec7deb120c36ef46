package split_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harddb"
	"github.com/dbmigrate/dbmigrate/pkg/preflight"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// phases are what a command does with a file after its first check. Each begins with what the ones before it
// left in dir.
type phases struct {
	path, dir string
	policy    *split.Policy
	plan      *split.Plan
	hot, cold string
}

func (p *phases) all() []struct {
	name string
	run  func(context.Context) error
} {
	return []struct {
		name string
		run  func(context.Context) error
	}{
		{"preflight", func(ctx context.Context) error {
			report, err := preflight.Check(ctx, p.path, wire.DefaultLimits)
			return errors.Join(err, report.Err())
		}},
		{"count", p.open(func(ctx context.Context, f *sqlitefile.File) error {
			_, err := f.CountEntries(ctx)
			return err
		})},
		{"digest", p.open(func(ctx context.Context, f *sqlitefile.File) error {
			_, err := f.Digest(ctx)
			return err
		})},
		{"census", p.open(func(ctx context.Context, f *sqlitefile.File) error {
			for i := range f.Tables() {
				if _, err := f.Census(ctx, &f.Tables()[i]); err != nil {
					return err
				}
			}
			return nil
		})},
		{"read", p.open(func(ctx context.Context, f *sqlitefile.File) error {
			for i := range f.Tables() {
				if err := f.Rows(ctx, &f.Tables()[i], nil, func([]wire.Value) error { return nil }); err != nil {
					return err
				}
			}
			return nil
		})},
		{"plan", func(ctx context.Context) (err error) {
			p.plan, err = split.NewPlan(ctx, p.path, p.policy, at)
			return err
		}},
		{"divide", func(ctx context.Context) (err error) {
			p.hot, p.cold, err = p.plan.WriteParts(ctx, p.dir)
			return err
		}},
		{"unite", func(ctx context.Context) error {
			whole := filepath.Join(p.dir, "whole.sqlite")
			if err := os.RemoveAll(whole); err != nil {
				return err
			}
			return split.Union(ctx, p.hot, p.cold, whole)
		}},
	}
}

func (p *phases) open(use func(context.Context, *sqlitefile.File) error) func(context.Context) error {
	return func(ctx context.Context) error {
		f, err := sqlitefile.Open(ctx, p.path)
		if err != nil {
			return err
		}
		defer f.Close()
		return use(ctx, f)
	}
}

// Bounds of the work that a phase may make of a file, in steps of SQLite's virtual machine.
const (
	stepsAtLeast = 200_000
	stepsPerByte = 30
)

// stops are the parts of a phase after which it is stopped.
const stops = 8

// TestEveryPhaseIsBoundedAndStops: whatever a phase does with a file, its work grows with the file and not
// faster, and it ends soon after it is told to, wherever it is.
func TestEveryPhaseIsBoundedAndStops(t *testing.T) {
	stopped := map[string]int{}
	for _, seed := range effort.Numbered(t, "seeds", hardSeeds, 5) {
		path := filepath.Join(t.TempDir(), "hard.sqlite")
		if _, err := harddb.Build(t.Context(), path, uint64(seed)); err != nil {
			t.Fatal(err)
		}
		runPhases(t, path, uint64(seed), stopped)
	}
	large := filepath.Join(t.TempDir(), "large.sqlite")
	makeLarge(t, large)
	runPhases(t, large, 0, stopped)
	for _, phase := range (&phases{}).all() {
		if stopped[phase.name] < stops {
			t.Errorf("%s was stopped %d times", phase.name, stopped[phase.name])
		}
	}
}

func runPhases(t *testing.T, path string, seed uint64, stopped map[string]int) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	policy, err := halves(t.Context(), path, seed)
	if err != nil {
		return // it cannot be opened: no phase begins
	}
	p := &phases{path: path, dir: t.TempDir(), policy: policy}
	for _, phase := range p.all() {
		work := &capi.Work{}
		err := phase.run(capi.WithWork(t.Context(), work))
		if most := stepsAtLeast + stepsPerByte*info.Size(); work.Steps() > most {
			t.Errorf("%s of %s: %d steps, more than %d", phase.name, path, work.Steps(), most)
		}
		if err != nil {
			return // refused by name: what comes after it does not begin
		}
		for n := range int64(stops) {
			limit := work.Steps() * n / stops
			if limit == 0 {
				continue
			}
			less := &capi.Work{Limit: limit}
			err := phase.run(capi.WithWork(t.Context(), less))
			if !errors.Is(err, capi.ErrTooMuchWork) || userdb.KindOf(err) != userdb.Interrupted {
				t.Errorf("%s of %s, after %d of %d steps: %v", phase.name, path, limit, work.Steps(), err)
			}
			if over := less.Steps() - limit; over > stepsAtLeast {
				t.Errorf("%s of %s went on for %d steps", phase.name, path, over)
			}
			stopped[phase.name]++
		}
		if err := phase.run(t.Context()); err != nil { // what was stopped leaves nothing in the way
			t.Errorf("%s of %s again: %v", phase.name, path, err)
		}
	}
}

// makeLarge makes a file that every phase takes many steps over.
func makeLarge(t *testing.T, path string) {
	t.Helper()
	conn, err := capi.Open(path, capi.Create)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, statement := range []string{
		"CREATE TABLE owners(id INTEGER PRIMARY KEY, name TEXT UNIQUE, at REAL)",
		"CREATE TABLE items(k TEXT, n INT, owner INT REFERENCES owners(id), body BLOB, PRIMARY KEY(k, n)) WITHOUT ROWID",
		"CREATE INDEX by_owner ON items(owner, n)",
		"WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i < 20000) INSERT INTO owners SELECT i, 'owner ' || i, i / 7.0 FROM c",
		"WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i < 20000) INSERT INTO items SELECT 'k' || i, i % 7, i, zeroblob(i % 50) FROM c",
	} {
		if err := conn.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}
