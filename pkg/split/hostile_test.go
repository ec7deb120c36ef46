package split_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/pkg/split"
)

// hostileWork is what a phase may do with a hostile file, in steps of SQLite's virtual machine.
const hostileWork = 3_000_000

// TestHostileFilesEndInEveryPhase: a command checks a file in a child process before it opens it. Should a
// hostile file pass that check, each later phase still ends by counted work, in split mode as well.
func TestHostileFilesEndInEveryPhase(t *testing.T) {
	paths, err := filepath.Glob("testdata/hostile/*.sqlite")
	if err != nil || len(paths) < 3 {
		t.Fatalf("%d files: %v", len(paths), err)
	}
	for levels := 4; levels <= 16; levels += 4 {
		paths = append(paths, viewsOfViews(t, levels))
	}
	good := filepath.Join(t.TempDir(), "good.sqlite")
	makeLarge(t, good)
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			policy, err := halves(t.Context(), path, 1)
			if err != nil {
				policy = &split.Policy{StayHot: true, Tables: map[string]split.TableRule{}}
			}
			p := &phases{path: path, dir: t.TempDir(), policy: policy, hot: path, cold: path}
			for _, phase := range p.all() {
				if phase.name == "divide" && p.plan == nil {
					continue
				}
				if phase.name == "unite" && p.hot == "" {
					p.hot, p.cold = path, path // it could not be divided
				}
				endsSoon(t, phase.name, phase.run)
			}
			for name, parts := range map[string][2]string{"hot": {path, good}, "cold": {good, path}} {
				whole := filepath.Join(t.TempDir(), "whole.sqlite")
				endsSoon(t, "unite as the "+name+" part", func(ctx context.Context) error {
					return split.Union(ctx, parts[0], parts[1], whole)
				})
			}
		})
	}
}

// endsSoon says whether a phase ended, well or not, within its work.
func endsSoon(t *testing.T, name string, run func(context.Context) error) {
	t.Helper()
	work := &capi.Work{Limit: hostileWork}
	err := run(capi.WithWork(t.Context(), work))
	stopped := errors.Is(err, capi.ErrTooMuchWork)
	if over := work.Steps() > hostileWork; work.Steps() > hostileWork+stepsAtLeast || over != stopped {
		t.Errorf("%s took %d steps, stopped %v: %v", name, work.Steps(), stopped, err)
	}
}

// viewsOfViews makes a file in which each view reads the one before twice.
func viewsOfViews(t *testing.T, levels int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), fmt.Sprintf("views%d.sqlite", levels))
	conn, err := capi.Open(path, capi.Create)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	statements := []string{"CREATE TABLE t(a)", "INSERT INTO t VALUES (1), (2)"}
	for k := levels; k > 0; k-- {
		before := fmt.Sprintf("v%d", k-1)
		if k == 1 {
			before = "t"
		}
		statements = append(statements, fmt.Sprintf("CREATE VIEW v%d AS SELECT a.a FROM %s a, %[2]s b", k, before))
	}
	for _, statement := range statements {
		if err := conn.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	return path
}
