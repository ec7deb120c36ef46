// Package group ends a process with everything that it started.
package group

import (
	"context"
	"os/exec"
	"syscall"
	"time"
)

// Patience is how long a command may take to end after a signal.
const Patience = 30 * time.Second

// Of makes the command the first of a process group of its own.
func Of(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// EndWith ends the process group with ctx: the first process alone might leave the others behind. The caller
// closes ended when the command has ended. The function that EndWith returns waits until nothing is left to
// kill.
func EndWith(ctx context.Context, group int, ended <-chan struct{}, patience time.Duration) (wait func()) {
	gone := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(gone)
		signal(group, syscall.SIGINT)
		select {
		case <-ended:
		case <-time.After(patience):
		}
		signal(group, syscall.SIGKILL) // for those that ignore the other one
	})
	return func() {
		if !stop() {
			<-gone
		}
	}
}

// signal fails only if nobody is left in the group.
func signal(group int, s syscall.Signal) { _ = syscall.Kill(-group, s) }
