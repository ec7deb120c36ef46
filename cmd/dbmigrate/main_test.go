package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dbmigrate/dbmigrate/internal/sandbox"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
)

func TestMain(m *testing.M) {
	sandbox.ServeIfAsked()
	kvWindowVariable = "DBMIGRATE_TEST_KV_WINDOW"
	testscript.Main(stoppingStack{m}, map[string]func(){"dbmigrate": main})
}

// stoppingStack ends the local runtime, if a story started it, before the exit code is returned.
type stoppingStack struct{ *testing.M }

func (s stoppingStack) Run() int {
	// What many of these tests do most is wait: for a server that does not answer, or for a next attempt.
	if err := flag.Set("test.parallel", "4"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := s.M.Run()
	if err := shared.stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	return code
}

// sharedStack is the local runtime of all stories that need one. It starts with the first of them.
type sharedStack struct {
	once  sync.Once
	stack *stack.Stack
	err   error
}

var shared sharedStack

func (s *sharedStack) start() (*stack.Stack, error) {
	s.once.Do(func() { s.stack, s.err = stack.Start(context.Background(), stack.Options{}) })
	return s.stack, s.err
}

func (s *sharedStack) stop() error {
	if s.stack == nil {
		return nil
	}
	return s.stack.Stop()
}

// TestScripts tells the stories that need no network. Their environment names no account, and nothing listens
// where they connect.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Cmds:                storyCommands,
	})
}

var storyCommands = map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "repeat": repeat}

// exits runs a program and demands an exact exit code: "exits 2 dbmigrate scan".
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits code program [args...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	err = ts.Exec(args[1], args[2:]...)
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("run %s: %v", args[1], err)
	}
	if got != want {
		ts.Fatalf("%s exited with %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// repeat sets a variable to a text many times over: "repeat name text count".
func repeat(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: repeat name text count")
	}
	count, err := strconv.Atoi(args[2])
	ts.Check(err)
	ts.Setenv(args[0], strings.Repeat(args[1], count))
}
