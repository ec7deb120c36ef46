// Package oncall is the trial of an engineer on call, as a script: something happens while users write, the
// engineer types what the runbook says, and the screen names the command that mends it, or what is down. That
// command is then run, or what is down answers again. No acknowledged write may be lost, and everybody can
// write.
package oncall

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/docpage"
	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
)

var update = flag.Bool("update", false, "write the screens in testdata")

var (
	cloud  *stack.Stack
	binary string
	image  []byte // of the file with which each user begins
)

func TestMain(m *testing.M) {
	flag.Parse()
	dir, err := os.MkdirTemp("", "dbmigrate-oncall-")
	var config string
	if err == nil {
		binary, err = harness.Build(context.Background(), "../..", dir)
	}
	if err == nil {
		image, err = harness.Image(harness.Schema)
	}
	if err == nil {
		config, err = deployment(dir)
	}
	code := 1
	if err == nil {
		code = stack.RunTests(m, stack.Options{ConfigPath: config}, func(s *stack.Stack) { cloud = s })
	} else {
		fmt.Fprintln(os.Stderr, err)
	}
	os.RemoveAll(dir)
	os.Exit(code)
}

// deployment is the sample with a Worker that can be deployed badly (worker/test-entry/throws.ts).
func deployment(dir string) (string, error) {
	entry, err := filepath.Abs("../../worker/test-entry")
	if err != nil {
		return "", err
	}
	text, err := os.ReadFile(filepath.Join(entry, "wrangler.jsonc"))
	if err != nil {
		return "", err
	}
	const main = `"stale.ts"`
	if !strings.Contains(string(text), main) {
		return "", errors.New("the configuration of test-entry has another main module")
	}
	path := filepath.Join(dir, "wrangler.jsonc")
	changed := strings.Replace(string(text), main, fmt.Sprintf("%q", filepath.Join(entry, "throws.ts")), 1)
	return path, os.WriteFile(path, []byte(changed), 0o600)
}

func deploy(t *testing.T, which string) {
	t.Helper()
	answer, err := http.Post(cloud.URL+"/deploy/"+which, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
}

// shift is one situation under way: an operator, and users who write all the time.
type shift struct {
	*testing.T
	op    *harness.Operator
	name  string
	users []*harness.User
	stop  func()
	run   string         // what a screen before named
	wait  func()         // for somebody else's run
	shown *regexp.Regexp // what the screen has to name
}

const usersOfShift = 6

func begin(t *testing.T, name string) *shift {
	t.Helper()
	op, err := harness.NewOperator(cloud, binary, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(op.Close)
	s := &shift{T: t, op: op, name: name}
	for n := range usersOfShift {
		u, err := harness.NewUser(cloud, fmt.Sprintf("%s-%d", name, n), image)
		if err != nil {
			t.Fatal(err)
		}
		s.users = append(s.users, u)
	}
	var all sync.WaitGroup
	done := make(chan struct{})
	for _, u := range s.users {
		all.Go(func() { keepWriting(u, done) })
	}
	s.stop = sync.OnceFunc(func() {
		close(done)
		all.Wait()
	})
	t.Cleanup(s.stop)
	return s
}

// keepWriting repeats a write that was not acknowledged until it is. One that was carried out all the same
// meets its own row.
func keepWriting(u *harness.User, done <-chan struct{}) {
	for {
		err := u.Try("insert into entries(n) values (?)", u.Writes)
		if err == nil || strings.Contains(err.Error(), "UNIQUE") {
			u.Writes++
		}
		select {
		case <-done:
			return
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// args are the words of a command. NAME is the beginning of the users' names, and RUN a screen's run.
func (s *shift) args(command string) []string {
	words := strings.Fields(command)
	for i, w := range words {
		words[i] = strings.NewReplacer("NAME", s.name, "RUN", s.run).Replace(w)
	}
	return words
}

func (s *shift) must(exit int, command string) harness.Finished {
	s.Helper()
	f, err := s.op.Must(exit, s.args(command)...)
	if err != nil {
		s.Fatal(err)
	}
	return f
}

// runs runs a command as it stands on a screen.
func (s *shift) runs(shown string) {
	s.Helper()
	s.must(0, strings.TrimPrefix(shown, "dbmigrate "))
}

// killAt kills the run at its n-th request of a name, which never arrives.
func (s *shift) killAt(request string, n int, command string) {
	s.Helper()
	var seen int
	var mu sync.Mutex
	s.op.Proxy.Reset(faultproxy.SingleRequests(func(r faultproxy.Request) faultproxy.Fault {
		mu.Lock()
		defer mu.Unlock()
		if r.Name() == request {
			seen++
		}
		if seen < n || r.Name() != request {
			return faultproxy.Fault{}
		}
		// By then the flags of the users before are written, which are their end.
		kill := func() { time.Sleep(3 * time.Second); s.op.Kill() }
		return faultproxy.Fault{Before: kill, Swallow: true, Cut: true}
	}))
	f, err := s.op.Run(s.args(command)...)
	s.op.Proxy.Reset(nil)
	if err != nil || f.Exit != -1 {
		s.Fatalf("%s was not killed: %v %v", command, f, err)
	}
}

// down lets a service answer 503 to every request, until up.
func (s *shift) down(service string) {
	s.op.Proxy.Reset(func(r faultproxy.Request) faultproxy.Fault {
		if strings.HasPrefix(r.Name(), service+" ") {
			return faultproxy.Fault{Swallow: true, Status: http.StatusServiceUnavailable}
		}
		return faultproxy.Fault{}
	})
}

// refuse lets a service answer so to every request, once a request of the name after has come so often.
func (s *shift) refuse(service, after string, times, status int, body string) {
	var seen int
	var mu sync.Mutex
	rule := func(r faultproxy.Request) faultproxy.Fault {
		mu.Lock()
		defer mu.Unlock()
		if r.Name() == after {
			seen++
		}
		if seen < times || !strings.HasPrefix(r.Name(), service+" ") {
			return faultproxy.Fault{}
		}
		return faultproxy.Fault{Swallow: true, Status: status, Body: body}
	}
	s.op.Proxy.Reset(rule)
	if after != "" {
		s.op.Proxy.Reset(faultproxy.SingleRequests(rule))
	}
}

func (s *shift) up() { s.op.Proxy.Reset(nil) }

// ends stops the writers and demands that each user can write, and has every acknowledged write.
func (s *shift) ends() {
	s.Helper()
	s.stop()
	for _, u := range s.users {
		if err := errors.Join(u.Write(), u.Check()); err != nil {
			s.Error(err)
		}
	}
	var names []string
	for _, u := range s.users {
		names = append(names, u.Name)
	}
	s.must(0, "rollback "+strings.Join(names, " "))
}

// TestOnCall plays each situation. The screens are in testdata; the times are those of this machine.
func TestOnCall(t *testing.T) {
	var table strings.Builder
	table.WriteString("| situation | question | typed until the right command stood there | right command | time |\n|---|---|---|---|---|\n")
	for _, one := range effort.Some(t, "situations of the on-call", situations, 3) {
		t.Run(one.name, func(t *testing.T) {
			s := begin(t, one.name)
			one.happens(s)
			before := time.Now()
			screen, right := s.ask(one)
			took := time.Since(before)
			one.compare(t, screen)
			if right == "" {
				t.Fatalf("no screen names a command that fits %q:\n%s", one.right, screen)
			}
			one.mends(s, right)
			s.ends()
			fmt.Fprintf(&table, "| %s | %s | `%s` | `%s` | %.1f s |\n",
				one.name, one.question, strings.Join(one.typed, "`, `"), strings.TrimSpace(normal(s, right)), took.Seconds())
		})
	}
	docpage.Publish(t, "oncall", table.String())
}

// ask types what the runbook says. right is the command that the last screen names.
func (s *shift) ask(one situation) (screens, right string) {
	s.Helper()
	var all strings.Builder
	s.shown = regexp.MustCompile(strings.ReplaceAll(one.right, "NAME", s.name))
	for i, command := range one.typed {
		text, exit, err := s.op.Screen(s.args(command)...)
		if err != nil {
			s.Fatal(err)
		}
		fmt.Fprintf(&all, "$ dbmigrate %s\n%s(exit %d)\n", command, normal(s, text), exit)
		if found := runID.FindString(text); found != "" {
			s.run = found
		}
		if i == len(one.typed)-1 {
			right = s.shown.FindString(text)
		}
	}
	return all.String(), right
}

func (one situation) compare(t *testing.T, screen string) {
	t.Helper()
	path := filepath.Join("testdata", one.name+".screen")
	if *update {
		if err := os.WriteFile(path, []byte(screen), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if rough(string(want), one.name) != rough(screen, one.name) {
		t.Errorf("the screen is another one (go test ./test/oncall -update):\n%s\nand not\n%s", screen, want)
	}
}

// passing are lines that depend on how fast this machine is, and on other situations.
var passing = regexp.MustCompile(`^(waiting for |still at work|[a-z]+: \d+/\d+ users|another run is active)`)

// rough is a screen without the columns of tables that tell amounts and times: who, and where or how it went.
// Users who follow one another, like the sizes that order them, are drawn at random.
func rough(screen, user string) string {
	var lines []string
	users := 0 // at the end of lines
	for line := range strings.Lines(screen) {
		cells := strings.Split(strings.TrimSpace(line), "  ")
		lines = append(lines, strings.Join(cells[:min(2, len(cells))], "  "))
		if users++; !strings.HasPrefix(line, user+"-N  ") {
			users = 0
		}
		slices.Sort(lines[len(lines)-users:])
	}
	return strings.Join(slices.Compact(lines), "\n")
}

var runID = regexp.MustCompile(`\d{8}T\d{6}Z-[0-9a-f]{8}`)

// varying is what differs from run to run, and what stands in its place.
var varying = []struct {
	text *regexp.Regexp
	by   string
}{
	{runID, "RUN"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ|\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?`), "TIME"},
	{regexp.MustCompile(`\d\d:\d\d:\d\d`), "TIME"},
	{regexp.MustCompile(`https?://127\.0\.0\.1:\d+|127\.0\.0\.1:\d+(->127\.0\.0\.1:\d+)?`), "ADDRESS"},
	{regexp.MustCompile(`\b\d+(\.\d+)?(ms|µs|s|m\d\ds|h\d\dm)\b`), "SOME TIME"},
	{regexp.MustCompile(`\b\d+(\.\d+)? (B|KB|MB)\b`), "SOME BYTES"},
	{regexp.MustCompile(`\(\d+ of \d+\)`), "(N of N)"},
	{regexp.MustCompile(`after \d+ attempts`), "after N attempts"},
	{regexp.MustCompile(`\bby [^ ,]+, (running|ended)`), "by SOMEBODY, $1"},
	{regexp.MustCompile(`  +`), "  "},
}

// normal is a text without what varies. Lines that are equal then are one.
func normal(s *shift, text string) string {
	for _, v := range varying {
		text = v.text.ReplaceAllString(text, v.by)
	}
	text = regexp.MustCompile(regexp.QuoteMeta(s.name)+`-\d`).ReplaceAllString(text, s.name+"-N")
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \n")
		if passing.MatchString(line) && !(s.shown != nil && s.shown.MatchString(line)) {
			continue
		}
		if len(lines) == 0 || lines[len(lines)-1] != line {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return ""
	}
	return strings.Join(lines, "\n") + "\n"
}
