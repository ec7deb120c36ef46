// Package harness runs the real dbmigrate binary against a local Cloudflare, through a proxy that does to
// chosen requests what networks and crashes do. It also plays the users, and counts their acknowledged
// writes. Tests of all kinds share it, and so does the soak.
package harness

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
)

// Operator runs dbmigrate with every request going through a proxy of its own.
type Operator struct {
	Proxy *faultproxy.Proxy
	// Hears, when set, is told what runs say on stderr, while they say it.
	Hears func(text string)
	// KVWindow, when set, is for how long runs believe that old flags are read, such as 3s.
	KVWindow string
	// WritePause, when set, is how long backups wait between two requests while the application writes.
	WritePause string

	binary, home string
	env          []string
	process      atomic.Pointer[os.Process] // of the run under way
}

// NewOperator makes an operator on the stack. home is an empty folder for this operator alone; Close ends the
// operator's proxy.
func NewOperator(cloud *stack.Stack, binary, home string) (*Operator, error) {
	proxy, err := faultproxy.New(cloud.URL)
	if err != nil {
		return nil, err
	}
	proxy.LeaveAlone(record.Prefix, record.ActPrefix, faultproxy.AskedAgain)
	o := &Operator{
		Proxy:  proxy,
		binary: binary,
		home:   home,
		env:    []string{"HOME=" + home, "TMPDIR=" + home, "PATH=" + os.Getenv("PATH")},
	}
	for _, entry := range cloud.Env() {
		o.env = append(o.env, strings.ReplaceAll(entry, cloud.URL, proxy.URL()))
	}
	return o, nil
}

// Close ends the proxy.
func (o *Operator) Close() { o.Proxy.Close() }

// Run starts dbmigrate with --output json and waits for its end. It may be called from any goroutine.
func (o *Operator) Run(args ...string) (Finished, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(o.binary, append(args, "--output", "json")...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = o.home, o.environment(), &stdout, io.MultiWriter(
		&stderr,
		hearing{o.Hears},
	)
	if err := cmd.Start(); err != nil {
		return Finished{}, err
	}
	o.process.Store(cmd.Process)
	err := cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return Finished{}, err
	}
	f := Finished{
		Command:  strings.Join(args, " "),
		Exit:     cmd.ProcessState.ExitCode(),
		Stdout:   stdout.String(),
		Stderr:   stderr.String(),
		Accounts: map[string]Account{},
	}
	return f, f.parse()
}

func (o *Operator) environment() []string {
	return append(slices.Clone(o.env), kvWindowVariable+"="+o.KVWindow, writePauseVariable+"="+o.WritePause)
}

// Screen runs dbmigrate as a person does, and returns what a log of it shows: stdout and stderr as they come.
func (o *Operator) Screen(args ...string) (text string, exit int, err error) {
	cmd := exec.Command(o.binary, args...)
	cmd.Dir, cmd.Env = o.home, o.environment()
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		return "", -1, err
	}
	return string(out), cmd.ProcessState.ExitCode(), nil
}

// hearing passes on what is written, in the pieces in which it comes.
type hearing struct{ tell func(string) }

func (h hearing) Write(p []byte) (int, error) {
	if h.tell != nil {
		h.tell(string(p))
	}
	return len(p), nil
}

// Must runs dbmigrate and demands the exit code.
func (o *Operator) Must(exit int, args ...string) (Finished, error) {
	f, err := o.Run(args...)
	if err == nil && f.Exit != exit {
		err = fmt.Errorf("want exit %d: %v", exit, f)
	}
	return f, err
}

// Signal sends a signal to the run under way, from within a request for example.
func (o *Operator) Signal(s os.Signal) { o.process.Load().Signal(s) }

// Kill is kill -9.
func (o *Operator) Kill() { o.Signal(os.Kill) }
