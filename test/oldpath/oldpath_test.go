package oldpath

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
)

var (
	cloud  *stack.Stack
	binary string
	image  []byte
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "dbmigrate-oldpath-")
	if err == nil {
		binary, err = harness.Build(context.Background(), "../..", dir)
	}
	if err == nil {
		image, err = newImage()
	}
	code := 1
	if err == nil {
		code = stack.RunTests(m, stack.Options{Vars: WorkerVars}, func(s *stack.Stack) { cloud = s })
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

func newOperator(t *testing.T) *harness.Operator {
	t.Helper()
	op, err := harness.NewOperator(cloud, binary, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(op.Close)
	return op
}

func must(t *testing.T, op *harness.Operator, exit int, args ...string) harness.Finished {
	t.Helper()
	f, err := op.Must(exit, args...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestThereAndBack: while the backend writes all the time, users go there and back. Nothing that was
// acknowledged is lost, whatever it believes of the flags.
func TestThereAndBack(t *testing.T) {
	t.Parallel()
	report, err := Run(
		t.Context(),
		cloud,
		binary,
		Config{Users: 3, Rounds: effort.Amount(t, "rounds there and back", 1, 20), Log: t.Output()},
	)
	t.Log("\n" + report.Markdown())
	if err != nil || report.Lost != 0 {
		t.Errorf("%d writes lost: %v", report.Lost, err)
	}
	if report.OldPath == 0 || report.Router == 0 {
		t.Errorf("one way was not taken: %+v", report)
	}
}

// one is a user of the backend, and one of its requests that has loaded the file and not saved yet.
func one(t *testing.T) (*harness.Operator, *client, pending) {
	t.Helper()
	b, err := newBackend(cloud, image, t.TempDir(), 1)
	if err != nil {
		t.Fatal(err)
	}
	c := b.users[0]
	p, err := c.load(inFlight)
	if err != nil {
		t.Fatal(err)
	}
	return newOperator(t), c, p
}

// What the requests of these tests write.
const (
	inFlight = 1000
	later    = 2000
)

// at calls do before the first request of a name goes on, or after it had its effect.
func at(name string, after bool, do func()) faultproxy.Rule {
	var once sync.Once
	return func(r faultproxy.Request) (f faultproxy.Fault) {
		if r.Name() != name {
			return f
		}
		once.Do(func() {
			if after {
				f.After = do
			} else {
				f.Before = do
			}
		})
		return f
	}
}

// TestFenceIsOverwritten: a request that loaded before the fence saves over it, at any moment until the
// switch. The move begins again with what it acknowledged.
func TestFenceIsOverwritten(t *testing.T) {
	for _, moment := range []string{"admin mark", "KV PUT bulk"} {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			op, c, p := one(t)
			op.Proxy.Reset(at(moment, true, func() {
				if err := c.save(p); err != nil {
					t.Error(err)
				}
				if err := c.Try("insert into entries(n) values (?)", later); err == nil ||
					!strings.Contains(err.Error(), "cutover-in-progress") {
					t.Errorf("a write through the router, where the old path may still save: %v", err)
				}
			}))
			f := must(t, op, 0, "migrate", c.Name, "--writers", "unconditional", "--longest-request", "3s")
			if f.Accounts[c.Name].Outcome != "migrated" {
				t.Error(f)
			}
			c.mustHave(t, inFlight)
			if c.Side != "store" {
				t.Errorf("served by the %s", c.Side)
			}
		})
	}
}

// TestKilledBehindTheFence: if a command dies while it waits, nobody can write to the user. The router does
// not save, and either command ends that.
func TestKilledBehindTheFence(t *testing.T) {
	for _, command := range []string{"migrate", "rollback"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			op, c, p := one(t)
			op.Proxy.Reset(at("KV PUT bulk", true, op.Kill))
			must(t, op, -1, "migrate", c.Name, "--writers", "unconditional", "--longest-request", "1h")
			if err := c.save(p); err != nil { // over the fence of the dead command
				t.Error(err)
			}
			if err := c.Try("insert into entries(n) values (?)", later); err == nil {
				t.Error("the router saved the file, beside the old path")
			}
			op.Proxy.Reset(nil)
			args := []string{command, c.Name}
			if command == "migrate" {
				args = append(args, "--writers", "unconditional", "--longest-request", "1s")
			}
			must(t, op, 0, args...)
			c.mustHave(t, inFlight)
		})
	}
}

// TestBack: after a rollback the file is the old path's alone. A request with an old flag is refused, until
// it sees that the flag is gone.
func TestBack(t *testing.T) {
	t.Parallel()
	op, c, p := one(t)
	if err := c.save(p); err != nil {
		t.Fatal(err)
	}
	must(t, op, 0, "migrate", c.Name, "--writers", "unconditional", "--longest-request", "1s")
	if err := c.Try("insert into entries(n) values (?)", later); err != nil {
		t.Fatal(err)
	}
	must(t, op, 0, "rollback", c.Name)
	p, err := c.load(later + 1)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Try("insert into entries(n) values (?)", later+2); err == nil ||
		!strings.Contains(err.Error(), "cutover-in-progress") {
		t.Errorf("a write by an old flag: %v", err)
	}
	if err := c.save(p); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{inFlight, later, later + 1} {
		c.mustHave(t, n)
	}
}

// TestTooLongIsDetected: a request that is older than what the command was told overwrites the fence after
// the switch. That is found and said, and both copies are kept.
func TestTooLongIsDetected(t *testing.T) {
	t.Parallel()
	op, c, p := one(t)
	op.Proxy.Reset(at("admin activate", true, func() {
		if err := c.Try("insert into entries(n) values (?)", later); err != nil { // the Durable Object has a write that the file does not have
			t.Error(err)
		}
		if err := c.save(p); err != nil {
			t.Error(err)
		}
	}))
	args := []string{"migrate", c.Name, "--writers", "unconditional", "--longest-request", "1s"}
	f := must(t, op, 1, args...)
	a := f.Accounts[c.Name]
	if a.Outcome != "overwritten" || a.Error == nil || a.Error.Kind != "conflict" ||
		!strings.Contains(a.Error.Message, "docs/runbook.md") {
		t.Fatalf("the account is %+v: %v", a, f)
	}
	c.mustHave(t, later)
	c.mustHoldAside(t, inFlight, f.Stdout)
	op.Proxy.Reset(nil)
	if again := must(t, op, 1, args...).Accounts[c.Name]; again.Outcome != "overwritten" {
		t.Errorf("run again, it says %+v", again)
	}
}

// TestInterruptedLook sends the signal while the command waits for its last look. The user is moved and
// served; that the look came early is said, and the same command looks again.
func TestInterruptedLook(t *testing.T) {
	for name, signal := range map[string]os.Signal{"Ctrl-C": os.Interrupt, "SIGTERM": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			op, c, _ := one(t)
			command := []string{"migrate", c.Name, "--writers", "unconditional", "--longest-request", "2s"}
			op.Proxy.Reset(at("admin activate", true, func() { op.Signal(signal) }))
			f := must(t, op, 130, command...)
			if a := f.Accounts[c.Name]; !f.Summary.Interrupted || a.Open || a.Error == nil ||
				a.Error.Kind != "interrupted" {
				t.Errorf("no clear account: %v", f)
			}
			if err := c.Try("insert into entries(n) values (?)", later); err != nil {
				t.Error(err)
			}
			op.Proxy.Reset(nil)
			if again := must(t, op, 0, command...).Accounts[c.Name]; again.Outcome != "already" {
				t.Errorf("run again, it says %+v", again)
			}
			c.mustHave(t, later)
		})
	}
}

// TestTheWorkerDecides: what was said about the writers has to go with the Worker.
func TestTheWorkerDecides(t *testing.T) {
	t.Parallel()
	op, c, _ := one(t)
	policy := filepath.Join(t.TempDir(), "cold.toml")
	if err := os.WriteFile(policy, []byte("[tables.entries]\nwhere = \"n < 10\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--writers", "fence-aware"}, {"--mode", "split", "--policy", policy}} {
		f := must(t, op, 2, append([]string{"migrate", c.Name}, args...)...)
		if !strings.Contains(f.Stderr+f.Stdout, "savesFiles: false") {
			t.Errorf("%v: %v", args, f)
		}
	}
	f := must(t, op, 0, "migrate", c.Name, "--dry-run")
	if !strings.Contains(f.Stderr, "as with --writers unconditional") {
		t.Error(f)
	}
}
