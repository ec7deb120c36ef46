package localruntime

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// RunCommand runs a command and returns its exit code. It gives the command time to react to a signal: the
// runtime must outlive it. A terminal's Ctrl-C reaches the command by itself, and a second one would mean
// something else to it, so only SIGTERM is passed on. The command and wrangler are both children of this
// process: worker/test-browser/bench-memory.mjs finds the runtime by that.
func RunCommand(command, env []string) (int, error) {
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
