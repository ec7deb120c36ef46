package sandbox

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/preflight"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

func TestMain(m *testing.M) {
	ServeIfAsked()
	os.Exit(m.Run())
}

// short is a budget under which files that are well are checked many times over, and others are not waited
// for long.
var short = Budget{Floor: 4 * time.Second, PerMiB: time.Second, Memory: 512 << 20}

func newPool(t *testing.T, b Budget) *Pool {
	t.Helper()
	p := NewPool(b)
	t.Cleanup(func() { p.Close() })
	return p
}

func wantReady(t *testing.T, p *Pool, path string) {
	t.Helper()
	report, err := p.Preflight(t.Context(), path, wire.DefaultLimits)
	if err != nil || report.Err() != nil || report.Rows != 1 {
		t.Fatalf("a file that is well: %+v, %v", report, err)
	}
}

func well(t testing.TB) string {
	t.Helper()
	return makeDatabase(t, "CREATE TABLE t(a)", "INSERT INTO t VALUES(1)")
}

// Every check of a hostile file ends, and says what it would have taken.
func TestHostileFilesAreTooCostly(t *testing.T) {
	hurried, patient := newPool(t, short), newPool(t, Budget{Floor: time.Hour, Memory: short.Memory})
	for name, h := range hostile {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := patient
			if strings.Contains(h.says, "takes more than") {
				p = hurried
			}
			path := makeDatabase(t, h.statements...)
			report, err := p.Preflight(t.Context(), path, wire.DefaultLimits)
			if err != nil {
				t.Fatal(err)
			}
			if len(report.Findings) != 1 || report.Findings[0].Reason != sqlitefile.ReasonTooCostly ||
				userdb.KindOf(report.Err()) != userdb.TooCostly {
				t.Fatalf("%+v", report)
			}
			if said := report.Findings[0].Detail; !strings.Contains(said, h.says) {
				t.Errorf("it says %q, not %q", said, h.says)
			}
		})
	}
}

// Writes wait for a check that is ahead of others, however many files take long.
func TestWhatWritesWaitForGoesAhead(t *testing.T) {
	p := newPool(t, short)
	for range cap(p.slots) {
		p.slots <- struct{}{}
	}
	path := well(t)
	if report, err := p.PreflightAhead(t.Context(), path, wire.DefaultLimits); err != nil || report.Rows != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Preflight(over, path, wire.DefaultLimits); userdb.KindOf(err) != userdb.Interrupted {
		t.Errorf("another check did not wait: %v", err)
	}
}

// SQLite is refused memory, or Go is and the process dies: both are the file's doing.
func TestMemoryIsBounded(t *testing.T) {
	for _, memory := range []int64{1 << 20, 16 << 20, 48 << 20} {
		p := newPool(t, Budget{Floor: time.Minute, Memory: memory})
		path := makeDatabase(t, append(doubling(40), "CREATE VIEW z AS SELECT * FROM v40")...)
		report, err := p.Preflight(t.Context(), path, wire.DefaultLimits)
		if err != nil || len(report.Findings) != 1 ||
			report.Findings[0].Reason != sqlitefile.ReasonTooCostly ||
			!strings.Contains(report.Findings[0].Detail, "MiB of memory") {
			t.Errorf("%d MiB: %+v, %v", memory>>20, report, err)
		}
	}
}

// Processes that hang hold up nobody, and end when the command does.
func TestOthersAreNotHeldUp(t *testing.T) {
	p := newPool(t, Budget{Floor: time.Hour})
	ctx, stop := context.WithCancelCause(t.Context())
	ended := make(chan error)
	const hanging = 3
	for range hanging {
		path := makeDatabase(t, hostile["a function that takes long"].statements...)
		go func() {
			_, err := p.Preflight(ctx, path, wire.DefaultLimits)
			ended <- err
		}()
	}
	path := well(t)
	for range 20 {
		wantReady(t, p, path)
	}
	over := errors.New("--max-duration is over")
	stop(over)
	for range hanging {
		if err := <-ended; userdb.KindOf(err) != userdb.Interrupted || !errors.Is(err, over) {
			t.Errorf("%v", err)
		}
	}
}

// One process serves many users; one that somebody killed is replaced.
func TestProcessesAreUsedAgain(t *testing.T) {
	p := newPool(t, short)
	path := well(t)
	wantReady(t, p, path)
	first := p.idle[0]
	wantReady(t, p, path)
	if len(p.idle) != 1 || p.idle[0] != first {
		t.Fatalf("%d processes", len(p.idle))
	}
	first.cmd.Process.Kill()
	first.cmd.Process.Wait()
	wantReady(t, p, path)
	if len(p.idle) != 1 || p.idle[0] == first {
		t.Error("the dead process is still there")
	}
}

func TestProcessesGetNoCredentials(t *testing.T) {
	t.Setenv("DBMIGRATE_TOKEN", "secret")
	t.Setenv("TMPDIR", t.TempDir())
	c, err := start(0)
	if err != nil {
		t.Fatal(err)
	}
	defer c.end()
	if slices.ContainsFunc(c.cmd.Env, func(entry string) bool { return strings.Contains(entry, "secret") }) {
		t.Errorf("%q", c.cmd.Env)
	}
	if !slices.Contains(c.cmd.Env, "TMPDIR="+os.Getenv("TMPDIR")) {
		t.Errorf("%q", c.cmd.Env)
	}
}

// What a process answers is what the same check says here: the report of every check, and its error.
func TestAnswersAreThoseOfTheCheck(t *testing.T) {
	p := newPool(t, short)
	path := makeDatabase(t, "CREATE TABLE t(a)", "CREATE TABLE _cf_x(a)", "INSERT INTO t VALUES(1)")
	want, err := preflight.Check(t.Context(), path, wire.DefaultLimits)
	got, gotErr := p.Preflight(t.Context(), path, wire.DefaultLimits)
	if err != nil || gotErr != nil || got.Err().Error() != want.Err().Error() || got.Rows != want.Rows {
		t.Errorf("%+v, %v; want %+v, %v", got, gotErr, want, err)
	}
	judged, sure, err := p.JudgeSkimmed(t.Context(), path, wire.DefaultLimits)
	if err != nil || !sure || judged.Err().Error() != want.Err().Error() {
		t.Errorf("%+v, %v, %v", judged, sure, err)
	}
	counted, err := p.Survey(t.Context(), well(t), wire.DefaultLimits)
	if err != nil || counted.Entries.Rows != 1 {
		t.Errorf("%+v, %v", counted, err)
	}
	if _, err := p.Preflight(t.Context(), path+"-absent", wire.DefaultLimits); userdb.KindOf(
		err,
	) != userdb.Internal {
		t.Errorf("%v", err)
	}
}
