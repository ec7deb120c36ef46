package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// memoryMB bounds one search. Spin stops there, and the search counts as not complete.
const memoryMB = 3800

// result is what Spin said of one search.
type result struct {
	err      error
	states   float64
	complete bool   // every reachable state was visited
	violated string // the property that was violated, "" if none
	took     time.Duration
	trace    string // the counterexample in words
}

// fault says why the result is not what is expected of the search, "" if it is.
func (r result) fault(s search) string {
	switch {
	case r.err != nil:
		return r.err.Error()
	case s.breaks == "" && r.violated != "":
		return "VIOLATED " + r.violated
	case s.breaks == "" && !r.complete:
		return "NOT COMPLETE"
	case s.breaks != "" && r.violated != s.breaks:
		return "NO COUNTEREXAMPLE"
	}
	return ""
}

// runSearch builds the verifier for one search, and runs it, in a folder of its own.
func runSearch(ctx context.Context, s search, limit time.Duration) result {
	dir, err := os.MkdirTemp("", "cutover-model-*")
	if err != nil {
		return result{err: err}
	}
	defer os.RemoveAll(dir)
	source, err := filepath.Abs(filepath.Join(modelDir, "cutover.pml"))
	if err != nil {
		return result{err: err}
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	begun := time.Now()
	if err := build(ctx, dir, source, s); err != nil {
		return result{err: err}
	}
	// pan's exit status says whether it found errors, and its report says it better.
	report, runErr := command(ctx, dir, "nice", "./pan", "-m5000000", "-w25").Output()
	r := parseReport(string(report))
	r.took = time.Since(begun)
	if r.err == nil && ctx.Err() != nil {
		r.err = fmt.Errorf("not complete after %s", limit)
	}
	if r.err != nil && runErr != nil {
		r.err = fmt.Errorf("%w (%w)", r.err, runErr)
	}
	if r.violated != "" {
		r.trace = replay(ctx, dir, source, s)
	}
	return r
}

// build makes the verifier. Searches are built for speed and small memory. Mutations are searched breadth
// first, which finds the shortest counterexample, and end so soon that optimizing would take longer.
func build(ctx context.Context, dir, source string, s search) error {
	out, err := command(
		ctx,
		dir,
		"spin",
		append(append([]string{"-a"}, s.defines()...), source)...).CombinedOutput()
	if err != nil || strings.Contains(string(out), "Error:") {
		return fmt.Errorf("spin -a: %w: %s", errors.Join(err), out)
	}
	flags := []string{"-w", "-DSAFETY", "-DNOFAIR", fmt.Sprintf("-DMEMLIM=%d", memoryMB)}
	if s.breaks == "" {
		flags = append(flags, "-O2", "-DCOLLAPSE")
	} else {
		flags = append(flags, "-O0", "-DBFS")
	}
	if out, err := command(ctx, dir, "gcc", append(flags, "-o", "pan", "pan.c")...).CombinedOutput(); err != nil {
		return fmt.Errorf("gcc: %w: %s", err, out)
	}
	return nil
}

// replay tells the counterexample in words, by the model's own print statements.
func replay(ctx context.Context, dir, source string, s search) string {
	args := append([]string{"-k", filepath.Base(source) + ".trail", "-T", "-B"}, s.defines()...)
	out, err := command(ctx, dir, "spin", append(args, source)...).Output()
	if err != nil && len(out) == 0 {
		return fmt.Sprintf("replay: %v\n", err)
	}
	return string(out)
}

func command(ctx context.Context, dir, name string, args ...string) *exec.Cmd {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = dir
	return c
}

var (
	errorsLine = regexp.MustCompile(`errors: (\d+)`)
	statesLine = regexp.MustCompile(`(?m)^\s*([\d.e+]+) states, stored`)
	violation  = regexp.MustCompile(`assertion violated\s+!\((\w+)\)`)
)

// parseReport reads pan's report. A report that ends early, a depth or memory limit that was reached, or any
// error that is not a named property (a deadlock, an out-of-range index) makes the search not complete.
func parseReport(report string) result {
	count := errorsLine.FindStringSubmatch(report)
	if count == nil {
		return result{err: errors.New("pan gave no report")}
	}
	var r result
	if m := statesLine.FindStringSubmatch(report); m != nil {
		r.states, _ = strconv.ParseFloat(m[1], 64)
	}
	if m := violation.FindStringSubmatch(report); m != nil {
		r.violated = m[1]
		return r
	}
	if count[1] != "0" {
		r.err = fmt.Errorf("pan: %s", firstLine(report, "pan:1:"))
		return r
	}
	r.complete = !strings.Contains(report, "Search not completed") &&
		!strings.Contains(report, "max search depth too small")
	return r
}

func firstLine(text, prefix string) string {
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, prefix) {
			return strings.TrimSpace(line)
		}
	}
	return "an error without a name"
}
