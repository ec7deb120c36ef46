// Command stack runs a command against Cloudflare's local runtime:
//
//	go run ./scripts/stack [flags] -- command args...
//
// The command finds the local R2, KV and Worker through the environment variables that dbmigrate reads. When
// it ends, everything is stopped, and stack exits with the command's code (`go run` turns any failure into 1;
// build it where the code matters). Without a command it prints the variables for a shell to evaluate and
// runs until it is interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
)

func main() {
	var options stack.Options
	flag.StringVar(
		&options.WorkerDir,
		"worker",
		"",
		"folder with wrangler.jsonc and node_modules (default: worker/ of this module)",
	)
	flag.StringVar(&options.ConfigPath, "config", "", "another wrangler configuration")
	flag.StringVar(&options.PersistDir, "persist", "", "state folder to keep (default: a temporary one)")
	flag.Func(
		"var",
		"`NAME=value` of the Worker, such as OLD_PATH=unconditional; repeat it for more",
		func(text string) error {
			name, value, found := strings.Cut(text, "=")
			if !found || name == "" {
				return errors.New("it is not NAME=value")
			}
			if options.Vars == nil {
				options.Vars = map[string]string{}
			}
			options.Vars[name] = value
			return nil
		},
	)
	verbose := flag.Bool("verbose", false, "show wrangler's output on stderr")
	flag.Parse()
	if *verbose {
		options.Log = os.Stderr
	}
	code, err := run(options, flag.Args())
	if err != nil {
		fmt.Fprintln(os.Stderr, "stack:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

func run(options stack.Options, command []string) (code int, err error) {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	s, err := stack.Start(ctx, options)
	cancel()
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	if len(command) == 0 {
		return 0, serve(s, os.Stdout)
	}
	return runCommand(command, append(os.Environ(), s.Env()...))
}

// serve prints the variables and waits for the end.
func serve(s *stack.Stack, out io.Writer) error {
	for _, entry := range s.Env() {
		name, value, _ := strings.Cut(entry, "=")
		if _, err := fmt.Fprintf(out, "export %s='%s'\n", name, strings.ReplaceAll(value, "'", `'\''`)); err != nil {
			return err
		}
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	<-ctx.Done()
	return nil
}

// runCommand gives the command time to react to a signal: the stack must outlive it. A terminal's Ctrl-C
// reaches the command by itself, and a second one would mean something else to it, so only SIGTERM is passed
// on. The command and wrangler are both children of this process: worker/test-browser/bench-memory.mjs finds
// the runtime by that.
func runCommand(command, env []string) (int, error) {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Env = env
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return 127, fmt.Errorf("start the command: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case received := <-signals:
			if received == syscall.SIGTERM {
				_ = cmd.Process.Signal(received) // it may have ended just now
			}
		case err := <-ended:
			return exitCode(cmd.ProcessState, err)
		}
	}
}

// exitCode follows the shell: 128 and the signal's number for a command that a signal ended.
func exitCode(state *os.ProcessState, err error) (int, error) {
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return 1, fmt.Errorf("run the command: %w", err)
	}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), nil
	}
	return state.ExitCode(), nil
}
