package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Pool keeps processes for many checks: to start one for every user would cost a small user more than the
// check does. It may be used by many goroutines.
type Pool struct {
	budget Budget
	slots  chan struct{} // one for each process that may be at work
	ahead  chan struct{} // and one for each that does nothing but what somebody's writes wait for

	mu     sync.Mutex
	idle   []*child
	closed bool
}

// NewPool makes a pool without processes: they start when they are needed.
func NewPool(budget Budget) *Pool {
	return &Pool{
		budget: budget,
		slots:  make(chan struct{}, processes()),
		ahead:  make(chan struct{}, processesAhead),
	}
}

// processes is how many are at work at once: twice what the machine can do, so that a few files that take
// long do not hold up the others.
func processes() int { return max(8, 2*runtime.NumCPU()) }

// processesAhead is how many processes more check what writes wait for. Files that take long, or many that
// wait, would hold these up otherwise.
const processesAhead = 2

// Close ends all processes. A check that is under way ends by itself, and its process with it.
func (p *Pool) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for _, c := range p.idle {
		c.end()
	}
	p.idle = nil
	return nil
}

// Preflight is preflight.Check within the budget.
func (p *Pool) Preflight(ctx context.Context, path string, limits wire.Limits) (sqlitefile.Report, error) {
	a, err := p.do(ctx, job{Check: checkAll, Path: path, Limits: limits}, nil)
	return a.Report, err
}

// PreflightAhead is Preflight past the queue.
func (p *Pool) PreflightAhead(ctx context.Context, path string, limits wire.Limits) (sqlitefile.Report, error) {
	a, err := p.do(ctx, job{Check: checkAll, Path: path, Limits: limits}, p.ahead)
	return a.Report, err
}

// Survey is preflight.Survey within the budget.
func (p *Pool) Survey(ctx context.Context, path string, limits wire.Limits) (sqlitefile.Report, error) {
	a, err := p.do(ctx, job{Check: checkCount, Path: path, Limits: limits}, nil)
	return a.Report, err
}

// JudgeSkimmed is preflight.JudgeSkimmed within the budget.
func (p *Pool) JudgeSkimmed(
	ctx context.Context,
	path string,
	limits wire.Limits,
) (sqlitefile.Report, bool, error) {
	a, err := p.do(ctx, job{Check: checkSchema, Path: path, Limits: limits}, nil)
	return a.Report, a.Sure, err
}

// do turns an answer that the budget cut short into a report. The job may have places besides those of all.
func (p *Pool) do(ctx context.Context, j job, besides chan struct{}) (answer, error) {
	file, err := os.Stat(j.Path)
	if err != nil {
		return answer{}, &userdb.Error{Op: "check", Thing: j.Path, Kind: userdb.Internal, Err: err}
	}
	j.Bytes = file.Size()
	j.Deadline = p.budget.deadline(file.Size())
	a, err := p.ask(ctx, j, besides)
	switch {
	case err != nil:
		return answer{}, err
	case a.Late:
		return answer{Report: sqlitefile.TooCostly(p.budget.tookTooLong(file.Size())), Sure: true}, nil
	case a.Greedy:
		return answer{Report: sqlitefile.TooCostly(p.budget.tookTooMuch()), Sure: true}, nil
	case a.Sprawling:
		return answer{
			Report: sqlitefile.TooCostly(
				fmt.Sprintf("to check it takes a scratch file of more than %d MiB", j.scratchBytes()>>20),
			),
			Sure: true,
		}, nil
	case a.Failed != nil:
		return answer{}, a.Failed.err()
	}
	return a, nil
}

// ask has a job done by a process. One that dies may have been killed by somebody, so another one gets the
// job once more.
func (p *Pool) ask(ctx context.Context, j job, besides chan struct{}) (answer, error) {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case besides <- struct{}{}:
		defer func() { <-besides }()
	case <-ctx.Done():
		return answer{}, interrupted(ctx, j)
	}
	const tries = 2
	var last error
	for try := range tries {
		c, err := p.take(try == 0)
		if err != nil {
			return answer{}, &userdb.Error{
				Op:    "start a process to check",
				Thing: j.Path,
				Kind:  userdb.Internal,
				Err:   err,
			}
		}
		a, err := c.within(ctx, j)
		if err == nil {
			p.giveBack(c, a)
			return a, nil
		}
		c.end()
		os.Remove(j.Path + sqlitefile.CopySuffix) // it could not tidy up
		switch {
		case ctx.Err() != nil:
			return answer{}, interrupted(ctx, j)
		case errors.Is(err, errLate):
			return answer{Late: true}, nil
		case c.ranOutOfMemory():
			return answer{Greedy: true}, nil
		}
		last = fmt.Errorf("the process that checked it ended: %w: %.200q", err, firstLine(c.said.String()))
	}
	return answer{}, &userdb.Error{
		Op:    "check",
		Thing: j.Path,
		Kind:  userdb.Internal,
		Err:   last,
		Hint:  "please report it, with the file's schema",
	}
}

func interrupted(ctx context.Context, j job) error {
	return &userdb.Error{Op: "check", Thing: j.Path, Kind: userdb.Interrupted, Err: context.Cause(ctx)}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

var errLate = errors.New("the deadline is over")

// grace is what a process gets to say by itself that its time is over.
const grace = time.Second

// within has a job done, and stops the process when the deadline is over or ctx ends.
func (c *child) within(ctx context.Context, j job) (answer, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, j.Deadline+grace, errLate)
	defer cancel()
	defer context.AfterFunc(ctx, func() { c.cmd.Process.Kill() })()
	a, err := c.ask(j)
	if ctx.Err() != nil { // it was killed, or is just about to be
		return answer{}, context.Cause(ctx)
	}
	return a, err
}

func (p *Pool) take(used bool) (*child, error) {
	if used {
		if c := p.takeIdle(); c != nil {
			return c, nil
		}
	}
	return start(p.budget.Memory)
}

func (p *Pool) takeIdle() *child {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if n == 0 {
		return nil
	}
	c := p.idle[n-1]
	p.idle = p.idle[:n-1]
	return c
}

// giveBack keeps a process for the next job, unless it may hold on to much memory.
func (p *Pool) giveBack(c *child, a answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || a.Greedy || a.Late || a.Sprawling {
		c.end()
		return
	}
	p.idle = append(p.idle, c)
}
