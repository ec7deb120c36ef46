package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/internal/testkit/appdb"
	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// operator runs the program against the local runtime, through a proxy that can stop the world at a request.
type operator struct {
	stack *stack.Stack
	proxy *faultproxy.Proxy
	state string // where it keeps its records
	// scratch is its folder for temporary files.
	scratch string
}

func newOperator(t *testing.T, users ...string) *operator {
	t.Helper()
	s, err := shared.start()
	if err != nil {
		t.Fatal(err)
	}
	proxy, err := faultproxy.New(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	proxy.LeaveAlone(record.Prefix, record.ActPrefix, faultproxy.AskedAgain)
	o := &operator{s, proxy, t.TempDir(), t.TempDir()}
	for _, user := range users {
		o.putUser(t, user)
	}
	return o
}

// putUser gives a user a fresh file. If an earlier run of the test (go test -count) left the user somewhere
// else, it first brings the user back.
func (o *operator) putUser(t *testing.T, user string) {
	t.Helper()
	s := o.stack
	path := filepath.Join(t.TempDir(), "database.sqlite")
	if _, err := appdb.Build(t.Context(), path, 1, 30_000); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	client, err := r2.New(
		r2.Config{
			Endpoint:        s.S3Endpoint,
			Bucket:          s.Bucket,
			AccessKeyID:     s.AccessKey,
			SecretAccessKey: s.SecretKey,
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Head(t.Context(), userdb.ObjectKey(user+"/database.sqlite")); err == nil {
		if text, err := o.command("rollback", user).CombinedOutput(); err != nil {
			t.Fatalf("rollback %s: %v\n%s", user, err, text)
		}
	}
	if _, err := client.Put(t.Context(), userdb.ObjectKey(user+"/database.sqlite"), bytes.NewReader(content), int64(len(content)), userdb.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (o *operator) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.Background(), "dbmigrate", args...)
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+o.state, "TMPDIR="+o.scratch)
	for _, entry := range o.stack.Env() {
		cmd.Env = append(cmd.Env, strings.ReplaceAll(entry, o.stack.URL, o.proxy.URL()))
	}
	return cmd
}

// watched is an output that can be waited for.
type watched struct {
	mu      sync.Mutex
	changed *sync.Cond
	text    bytes.Buffer
	gaveUp  bool
}

func newWatched() *watched {
	w := &watched{}
	w.changed = sync.NewCond(&w.mu)
	return w
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	defer w.changed.Broadcast()
	return w.text.Write(p)
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

// patience bounds a wait for what a broken program never says, so that its test fails instead of hanging.
const patience = time.Minute

// waitFor returns when text was written, or when patience ends: the assertions that follow then tell what is
// missing.
func (w *watched) waitFor(text string) {
	impatient := time.AfterFunc(patience, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.gaveUp = true
		w.changed.Broadcast()
	})
	defer impatient.Stop()
	w.mu.Lock()
	defer w.mu.Unlock()
	for !w.gaveUp && !strings.Contains(w.text.String(), text) {
		w.changed.Wait()
	}
}

func wantExit(t *testing.T, cmd *exec.Cmd, want int, output *watched) {
	t.Helper()
	_ = cmd.Wait() // the code says it all
	if got := cmd.ProcessState.ExitCode(); got != want {
		t.Fatalf("exit %d, want %d\n%s", got, want, output)
	}
}

func wantIn(t *testing.T, output *watched, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if !strings.Contains(output.String(), text) {
			t.Errorf("%q is missing in\n%s", text, output)
		}
	}
}

// The first Ctrl-C lets the user in flight finish and begins no other one.
func TestFirstSignalFinishesWhatIsInFlight(t *testing.T) {
	o, output := newOperator(t, "signal-a", "signal-b", "signal-c"), newWatched()
	cmd := o.command("migrate", "signal-a", "signal-b", "signal-c", "--concurrency", "1", "--output", "json")
	cmd.Stdout, cmd.Stderr = output, output
	var once sync.Once
	started := make(chan struct{})
	o.proxy.Reset(func(r faultproxy.Request) faultproxy.Fault {
		if r.Name() != "admin import" {
			return faultproxy.Fault{}
		}
		return faultproxy.Fault{Before: func() {
			once.Do(func() {
				<-started
				cmd.Process.Signal(syscall.SIGINT)
				output.waitFor("users done; no more users are begun, 1 user in flight finish")
			})
		}}
	})
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	close(started)
	wantExit(t, cmd, exitInterrupted, output)
	wantIn(
		t,
		output,
		"users done; no more users are begun, 1 user in flight finish",
		`"user":"signal-a","action":"migrate","outcome":"migrated"`,
		`"notBegun":2,"open":[]`,
		`"interrupted":true,"exit":130`,
	)

	o.proxy.Reset(nil)
	again := newWatched()
	next := o.command("migrate", "signal-a", "signal-b", "signal-c", "--output", "json")
	next.Stdout, next.Stderr = again, again
	if err := next.Start(); err != nil {
		t.Fatal(err)
	}
	wantExit(t, next, exitDone, again)
	wantIn(t, again, `"outcomes":{"already":1,"migrated":2}`)
	o.wantNoScratch(t)
}

// wantNoScratch: nothing of the users' rows is left on this machine.
func (o *operator) wantNoScratch(t *testing.T) {
	t.Helper()
	left, err := os.ReadDir(o.scratch)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// A killed run leaves its copies in a folder that only its owner can enter; the next run removes them,
// whatever it is about.
func TestKilledRunIsSweptByTheNext(t *testing.T) {
	o, output := newOperator(t, "killed-a"), newWatched()
	cmd := o.command("migrate", "killed-a", "--output", "json")
	cmd.Stdout, cmd.Stderr = output, output
	started, gone := make(chan struct{}), make(chan struct{})
	o.proxy.Reset(func(r faultproxy.Request) faultproxy.Fault {
		if r.Name() != "admin switch" {
			return faultproxy.Fault{}
		}
		return faultproxy.Fault{Swallow: true, Before: func() {
			<-started
			cmd.Process.Kill()
			<-gone
		}}
	})
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	close(started)
	_ = cmd.Wait() // it was killed
	close(gone)
	left, err := os.ReadDir(o.scratch)
	if err != nil || len(left) != 1 {
		t.Fatalf("left behind: %v, %v", left, err)
	}
	if info, err := left[0].Info(); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if copies, err := filepath.Glob(filepath.Join(o.scratch, "*", "*.sqlite")); err != nil ||
		len(copies) == 0 {
		t.Errorf("the killed run left no copy to sweep: %v", err)
	}
	o.proxy.Reset(nil)
	for _, args := range [][]string{{"status", "killed-a"}, {"migrate", "killed-a"}} {
		next := o.command(args...)
		next.Stdout, next.Stderr = output, output
		if err := next.Start(); err != nil {
			t.Fatal(err)
		}
		wantExit(t, next, exitDone, output)
		o.wantNoScratch(t)
	}
}

// The second one leaves at once, even between fence and switch, and says who is open; the same command again
// ends it.
func TestSecondSignalLeavesAtOnce(t *testing.T) {
	o, output := newOperator(t, "leave-a"), newWatched()
	cmd := o.command("migrate", "leave-a", "--output", "json")
	cmd.Stdout, cmd.Stderr = output, output
	started, gone := make(chan struct{}), make(chan struct{})
	o.proxy.Reset(faultproxy.SingleRequests(func(r faultproxy.Request) faultproxy.Fault {
		if r.Name() != "admin ready" {
			return faultproxy.Fault{}
		}
		return faultproxy.Fault{Swallow: true, Before: func() {
			<-started
			cmd.Process.Signal(syscall.SIGINT)
			output.waitFor("stopping: ")
			cmd.Process.Signal(syscall.SIGTERM)
			<-gone
		}}
	}))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	close(started)
	wantExit(t, cmd, exitInterrupted, output)
	close(gone)
	o.wantNoScratch(t)
	wantIn(t, output, "left at once, with 1 user in flight", "open: leave-a (last step: fence)")

	o.proxy.Reset(nil)
	again := newWatched()
	status := o.command("status", "leave-a", "--output", "json")
	status.Stdout, status.Stderr = again, again
	if err := status.Start(); err != nil {
		t.Fatal(err)
	}
	wantExit(t, status, exitDone, again)
	wantIn(t, again, `"servedBy":"none"`, `"next":"dbmigrate migrate leave-a, or dbmigrate rollback leave-a"`)
	next := o.command("migrate", "leave-a")
	next.Stdout, next.Stderr = again, again
	if err := next.Start(); err != nil {
		t.Fatal(err)
	}
	wantExit(t, next, exitDone, again)
}

// When the reader of stdout goes away, the users in flight are finished, and the exit code says that
// something is missing.
func TestStdoutGoesAway(t *testing.T) {
	o, talk := newOperator(t, "gone-a", "gone-b", "gone-c"), newWatched()
	cmd := o.command("migrate", "gone-a", "gone-b", "gone-c", "--concurrency", "1", "--output", "json")
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	reader.Close()
	cmd.Stdout, cmd.Stderr = writer, talk
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	wantExit(t, cmd, exitFailed, talk)
	wantIn(t, talk, "stopped: standard output is gone", `"message":"write results: `)
}
