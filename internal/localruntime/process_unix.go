//go:build unix

package localruntime

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// stopPatience is how long wrangler may take to end by itself (usually 1.5 s) before the group is killed.
const stopPatience = 10 * time.Second

// stragglerPatience is how long the rest of the group may take after its leader.
const stragglerPatience = 2 * time.Second

// process is wrangler with all its children (node, workerd twice, esbuild) in one process group.
type process struct {
	cmd      *exec.Cmd
	watchdog *watchdog
	exited   chan struct{} // closed when the leader is reaped
	waitErr  error         // valid once exited is closed
	stopOnce sync.Once
	stopErr  error
}

// startWrangler runs wrangler and returns it with the URL that it serves. temporary are files and folders to
// remove when this process dies before it calls stop.
func startWrangler(
	ctx context.Context,
	tools Tools,
	args, env, temporary []string,
	log io.Writer,
) (*process, string, error) {
	output := newReadyWatcher(log)
	cmd := exec.Command(tools.Node, append([]string{tools.Wrangler}, args...)...)
	cmd.Dir, cmd.Env = tools.Dir, env
	cmd.Stdout, cmd.Stderr = output, output
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second // a child that outlives the leader may hold the output pipe
	if err := cmd.Start(); err != nil {
		return nil, "", fmt.Errorf("start wrangler: %w", err)
	}
	p := &process{cmd: cmd, exited: make(chan struct{})}
	go func() {
		p.waitErr = cmd.Wait()
		close(p.exited)
	}()
	var err error
	if p.watchdog, err = startWatchdog(cmd.Process.Pid, temporary); err != nil {
		return nil, "", errors.Join(err, p.stop())
	}
	select {
	case url := <-output.ready:
		return p, url, nil
	case <-output.failed:
		err = errors.New("start wrangler: it has an error with the Worker")
	case <-p.exited:
		err = fmt.Errorf("start wrangler: it ended (%v)", p.waitErr)
	case <-ctx.Done():
		err = fmt.Errorf("start wrangler: %w", ctx.Err())
	}
	return nil, "", errors.Join(&StartError{err, output.tail()}, p.stop())
}

// stop ends the whole group, politely first so that wrangler removes its temporary bundle.
func (p *process) stop() error {
	p.stopOnce.Do(func() {
		group := p.cmd.Process.Pid
		signalGroup(group, syscall.SIGTERM)
		p.leaderEndsWithin(stopPatience)
		waitGroupGone(group, stragglerPatience)
		signalGroup(group, syscall.SIGKILL)
		if !p.leaderEndsWithin(stopPatience) {
			p.stopErr = fmt.Errorf("stop wrangler: process %d survives SIGKILL", group)
		}
		if p.watchdog != nil {
			p.watchdog.dismiss()
		}
	})
	return p.stopErr
}

// kill is stop without a warning.
func (p *process) kill() error {
	p.stopOnce.Do(func() {
		group := p.cmd.Process.Pid
		signalGroup(group, syscall.SIGKILL)
		if !p.leaderEndsWithin(stopPatience) {
			p.stopErr = fmt.Errorf("kill wrangler: process %d survives SIGKILL", group)
		}
		waitGroupGone(group, stragglerPatience)
		p.watchdog.dismiss()
	})
	return p.stopErr
}

func (p *process) leaderEndsWithin(patience time.Duration) bool {
	select {
	case <-p.exited:
		return true
	case <-time.After(patience):
		return false
	}
}

func signalGroup(group int, signal syscall.Signal) {
	// ESRCH, the only expectable error, means that the group is gone: what we want.
	_ = syscall.Kill(-group, signal)
}

func groupIsGone(group int) bool { return errors.Is(syscall.Kill(-group, 0), syscall.ESRCH) }

func (p *process) isGone() bool { return groupIsGone(p.cmd.Process.Pid) }

// waitGroupGone gives up after patience: if the first process of a container reaps no orphans, a dead
// straggler stays in the group for ever.
func waitGroupGone(group int, patience time.Duration) {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline) && !groupIsGone(group); {
		time.Sleep(20 * time.Millisecond)
	}
}

// watchdogScript waits for a line. End of file instead means that our process died without a word: end the
// group $1, and remove the files and folders behind it. (`kill -TERM -- -N` would be an error in dash.)
const watchdogScript = `read -r word || {
	group=$1; shift
	kill -s TERM -- -"$group"; sleep 5; kill -s KILL -- -"$group"
	rm -rf -- "$@"
} 2>/dev/null`

// watchdog is a shell in a session of its own (a Ctrl-C at the terminal does not reach it) that reads a pipe;
// only this process holds the other end. Unlike Linux's parent-death signal it covers grandchildren
// and other systems.
type watchdog struct {
	cmd  *exec.Cmd
	pipe io.WriteCloser
}

func startWatchdog(group int, temporary []string) (*watchdog, error) {
	args := append([]string{"-c", watchdogScript, "watchdog", fmt.Sprint(group)}, temporary...)
	cmd := exec.Command("/bin/sh", args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("start watchdog: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start watchdog: %w", err)
	}
	return &watchdog{cmd: cmd, pipe: pipe}, nil
}

// dismiss ends the watchdog without harm: the group's number may soon belong to somebody else.
func (w *watchdog) dismiss() {
	_, _ = io.WriteString(w.pipe, "done\n")
	_ = w.pipe.Close()
	_ = w.cmd.Wait()
}
