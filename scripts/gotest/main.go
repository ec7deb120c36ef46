// Command gotest runs `go test` with the given arguments and says what matters: a line for each package,
// everything that a failed test said, how much of the whole each reduced proof did (internal/testkit/effort),
// which tests were skipped and why, and the slowest ones. It leaves out what waits for another
// turn, where all packages are asked for.
//
//	go build -o bin/gotest ./scripts/gotest && bin/gotest -p 3 ./...
//
// A signal ends the tests. `go run` keeps signals to itself.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/group"
)

func main() {
	ctx, stop := signal.NotifyContext(
		context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	code, err := runByTurn(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// everything is the argument for all packages. Only a run of them leaves any to other turns.
const everything = "./..."

// runByTurn leaves out what waits for another turn (internal/testkit/effort), and says so.
func runByTurn(ctx context.Context, args []string, out io.Writer) (code int, err error) {
	var wait effort.Wait
	if slices.Contains(args, everything) {
		changed := strings.Fields(os.Getenv(effort.Changed))
		if wait, err = effort.Waiting(os.DirFS("."), changed); err != nil {
			return 1, err
		}
	}
	if wait.Note != "" {
		packages, err := exec.CommandContext(ctx, "go", "list", everything).Output()
		if err != nil {
			return 1, fmt.Errorf("list the packages: %w", err)
		}
		fmt.Fprintln(out, "effort:", wait.Note)
		args = without(args, wait, strings.Fields(string(packages)))
	}
	return run(ctx, args, out, group.Patience)
}

// without names the packages that do not wait, and skips the tests that do.
func without(args []string, wait effort.Wait, packages []string) []string {
	waits := func(pkg string) bool {
		return slices.ContainsFunc(wait.Packages, func(dir string) bool { return strings.HasSuffix(pkg, "/"+dir) })
	}
	var kept []string
	for _, arg := range args {
		switch {
		case arg == everything:
			kept = append(kept, slices.DeleteFunc(packages, waits)...)
		case !waits(arg):
			kept = append(kept, arg)
		}
	}
	if len(wait.Tests) == 0 {
		return kept
	}
	return append([]string{"-skip=^(" + strings.Join(wait.Tests, "|") + ")$"}, kept...)
}

func run(ctx context.Context, args []string, out io.Writer, patience time.Duration) (code int, err error) {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	group.Of(cmd)
	events, err := cmd.StdoutPipe()
	if err != nil {
		return 1, err
	}
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	ended := make(chan struct{})
	killed := group.EndWith(ctx, cmd.Process.Pid, ended, patience)
	r := newReport(out)
	err = r.read(events)
	close(ended)
	killed()
	waited := cmd.Wait()
	r.sum()
	if ctx.Err() != nil {
		return 1, errors.Join(err, context.Cause(ctx))
	}
	var exit *exec.ExitError
	if errors.As(waited, &exit) {
		return exit.ExitCode(), err
	}
	return 0, errors.Join(err, waited)
}

// event is a line of `go test -json`.
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64
}

// test is one test, or a package where it has no name.
type test struct{ pkg, name string }

// report gathers what tests say until it is known how they end.
type report struct {
	out     io.Writer
	said    map[test][]string
	efforts []string
	skipped []string
	slow    []timed
	counts  map[string]int
}

type timed struct {
	test
	seconds float64
}

func newReport(out io.Writer) *report {
	return &report{out: out, said: map[test][]string{}, counts: map[string]int{}}
}

func (r *report) read(events io.Reader) error {
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			r.hear(line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) hear(line string) {
	var e event
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		fmt.Fprint(r.out, line) // not of the tests: go's own words
		return
	}
	at := test{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		r.output(at, e.Output)
	case "pass", "fail", "skip":
		r.end(at, e)
	}
}

func (r *report) output(at test, text string) {
	if _, effort, found := strings.Cut(text, "effort: "); found {
		r.efforts = append(r.efforts, strings.TrimSpace(effort))
	}
	if at.name == "" && isLineOfPackage(text) {
		fmt.Fprint(r.out, text)
		return
	}
	r.said[at] = append(r.said[at], text)
}

func isLineOfPackage(text string) bool {
	return strings.HasPrefix(text, "ok  \t") || strings.HasPrefix(text, "FAIL\t") ||
		strings.Contains(text, "[no test files]")
}

func (r *report) end(at test, e event) {
	said := r.said[at]
	delete(r.said, at)
	if at.name != "" {
		r.counts[e.Action]++
		r.slow = append(r.slow, timed{at, e.Elapsed})
	}
	switch {
	case e.Action == "fail" && at.name == "":
		r.unended(at.pkg)
		fmt.Fprint(r.out, strings.Join(said, ""))
	case e.Action == "fail":
		fmt.Fprint(r.out, strings.Join(said, ""))
	case e.Action == "skip" && at.name != "":
		r.skipped = append(
			r.skipped,
			strings.TrimSpace(at.name+": "+strings.Join(unlike(said, "=== ", "--- "), " ")),
		)
	}
}

// unended is what tests said that never ended: the package ran out of time, panicked or was killed.
func (r *report) unended(pkg string) {
	for _, at := range slices.SortedFunc(maps.Keys(r.said), func(a, b test) int { return strings.Compare(a.name, b.name) }) {
		if at.pkg == pkg && at.name != "" {
			fmt.Fprintf(r.out, "--- DID NOT END: %s\n%s", at.name, strings.Join(r.said[at], ""))
			r.counts["fail"]++
		}
	}
}

// unlike leaves out go's own lines.
func unlike(said []string, beginnings ...string) []string {
	var kept []string
	for _, line := range said {
		line = strings.TrimSpace(line)
		if !slices.ContainsFunc(beginnings, func(b string) bool { return strings.HasPrefix(line, b) }) {
			kept = append(kept, line)
		}
	}
	return kept
}

const slowest = 12

func (r *report) sum() {
	r.list("what was done of the whole", slices.Sorted(slices.Values(r.efforts)))
	r.list("skipped", slices.Sorted(slices.Values(r.skipped)))
	slices.SortStableFunc(r.slow, func(a, b timed) int { return int(100 * (b.seconds - a.seconds)) })
	var slow []string
	for _, t := range r.slow[:min(slowest, len(r.slow))] {
		slow = append(
			slow,
			fmt.Sprintf("%6.1fs %s %s", t.seconds, t.pkg[strings.LastIndex(t.pkg, "/")+1:], t.name),
		)
	}
	r.list("the slowest", slow)
	fmt.Fprintf(
		r.out,
		"%d passed, %d failed, %d skipped\n",
		r.counts["pass"],
		r.counts["fail"],
		r.counts["skip"],
	)
}

func (r *report) list(title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	fmt.Fprintf(r.out, "%s:\n  %s\n", title, strings.Join(lines, "\n  "))
}
