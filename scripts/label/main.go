// Command label runs a command, writes a label before each of its lines, and says in the end how long it
// took. `make test` runs several commands side by side, and their lines stay apart.
//
//	go build -o bin/label ./scripts/label && bin/label worker npm test
//
// A signal ends the command with everything that it started. The exit code is the command's.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/group"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: label LABEL COMMAND [ARGUMENT...]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(
		context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
	code, err := run(ctx, os.Args[1], os.Args[2:], os.Stdout, group.Patience)
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[1], err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// stragglers is how long a process that outlives the command may go on to write.
const stragglers = 5 * time.Second

func run(ctx context.Context, label string, command []string, out io.Writer, patience time.Duration) (int, error) {
	begun := time.Now()
	lines := &labelled{label: label, out: out}
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = lines, lines, stragglers
	group.Of(cmd)
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	ended := make(chan struct{})
	killed := group.EndWith(ctx, cmd.Process.Pid, ended, patience)
	err := cmd.Wait()
	close(ended)
	killed()
	lines.end()
	fmt.Fprintf(out, "%s: ended after %.0f s\n", label, time.Since(begun).Seconds())
	if ctx.Err() != nil {
		return 1, context.Cause(ctx)
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil
	}
	return 0, err
}

// labelled passes whole lines on, each in one piece. It never fails: a terminal that is gone does not end the
// command.
type labelled struct {
	label string
	out   io.Writer
	rest  []byte
}

func (l *labelled) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return len(p), nil
		}
		fmt.Fprintf(l.out, "%s: %s\n", l.label, line)
		l.rest = rest
	}
}

// end passes on what has no end of line.
func (l *labelled) end() {
	if len(l.rest) > 0 {
		_, _ = l.Write([]byte("\n"))
	}
}
