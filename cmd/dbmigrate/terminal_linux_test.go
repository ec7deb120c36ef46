package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// openTerminal makes a pseudo-terminal: the program gets one end, the test is the person at the other one.
func openTerminal(t *testing.T) (person, program *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { person.Close() })
	if err := unix.IoctlSetPointerInt(int(person.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(int(person.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	program, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return person, program
}

// atTerminal runs a command with stdin and stderr on a terminal and returns what the person saw.
func atTerminal(t *testing.T, o *operator, want int, typed map[string]string, args ...string) string {
	t.Helper()
	person, program := openTerminal(t)
	cmd, seen := o.command(args...), newWatched()
	cmd.Env = append(cmd.Env, "TERM=xterm", "NO_COLOR=")
	cmd.Stdin, cmd.Stderr = program, program
	done := make(chan struct{})
	go func() {
		defer close(done)
		// Ends with an error when the program has closed its end.
		_, _ = io.Copy(seen, person)
	}()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	program.Close()
	for question, answer := range typed {
		seen.waitFor(question)
		if _, err := person.WriteString(answer + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	wantExit(t, cmd, want, seen)
	<-done
	return seen.String()
}

func TestBarOnlyOnATerminal(t *testing.T) {
	o := newOperator(t, "bar-a", "bar-b")
	seen := atTerminal(t, o, exitUsage, nil, "migrate", "bar-a", "bar-missing")
	for _, want := range []string{"\r", "\x1b[J", "%", "migrate"} {
		if !strings.Contains(seen, want) {
			t.Errorf("%q is missing on the terminal: %q", want, seen)
		}
	}
	talk := newWatched()
	cmd := o.command("migrate", "bar-b", "bar-missing")
	cmd.Stderr = talk
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wantExit(t, cmd, exitUsage, talk)
	if strings.ContainsAny(talk.String(), "\r\x1b") {
		t.Errorf("a log is drawn on: %q", talk)
	}
	wantIn(t, talk, "migrate bar-missing: ", "migrate: 2 users: 1 failed, 1 migrated")
}

func TestDiscardIsTypedAtATerminal(t *testing.T) {
	o := newOperator(t, "typed-a")
	migrated := newWatched()
	cmd := o.command("migrate", "typed-a")
	cmd.Stdout, cmd.Stderr = migrated, migrated
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wantExit(t, cmd, exitDone, migrated)
	const question = `Type "discard the writes of typed-a" to go on: `
	seen := atTerminal(
		t,
		o,
		exitUsage,
		map[string]string{question: "yes"},
		"rollback",
		"typed-a",
		"--discard-writes",
	)
	if !strings.Contains(seen, "not confirmed: nothing was changed") {
		t.Errorf("a bare yes is not refused: %q", seen)
	}
	atTerminal(
		t,
		o,
		exitDone,
		map[string]string{question: "discard the writes of typed-a"},
		"rollback",
		"typed-a",
		"--discard-writes",
	)
}
