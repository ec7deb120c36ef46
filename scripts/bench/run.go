package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// command is one run of the real binary.
type command struct {
	took   time.Duration
	cpu    time.Duration // of the client and the runtime
	parts  split         // the same by process, wrangler's own besides
	peak   int64         // of resident memory, in bytes
	stdout string
}

// dbmigrate runs the binary against the local runtime.
func (w *world) dbmigrate(ctx context.Context, args ...string) (command, error) {
	cmd := exec.CommandContext(ctx, w.binary, args...)
	cmd.Env = []string{"HOME=" + w.dir, "TMPDIR=" + w.dir, "PATH=" + os.Getenv("PATH")}
	for _, entry := range w.cloud.Env() {
		if w.through != "" {
			entry = strings.ReplaceAll(entry, w.cloud.URL, w.through)
		}
		cmd.Env = append(cmd.Env, entry)
	}
	cmd.Env = append(cmd.Env, "DBMIGRATE_LOCATION_HINT=weur") // older binaries know no "none"
	cmd.Dir = w.dir
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	runtime := workerds()
	used, usedByPart := cpuTime(runtime), runtimeUsed()
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		return command{}, err
	}
	watch := watchPeak(cmd.Process.Pid)
	err := cmd.Wait()
	c := command{took: time.Since(begun), peak: watch(), stdout: stdout.String()}
	own := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	c.cpu = cpuTime(runtime) - used + own
	c.parts = runtimeUsed().since(usedByPart)
	c.parts[partOperator] = own
	if err != nil {
		return c, fmt.Errorf("dbmigrate %s: %w\n%s%s", strings.Join(args, " "), err, &stdout, &stderr)
	}
	return c, nil
}

// cost is what a step took: by the clock, and of the runtime's processors. The second is what other work on
// the machine disturbs least.
type cost struct{ took, runtime time.Duration }

// stages gathers the cost of each step of a migration. The runtime's time since the step before counts for a
// step.
type stages struct {
	mu    sync.Mutex
	cost  map[result.Stage]cost
	used  time.Duration
	after func(result.Stage)
}

func (s *stages) observe(ev result.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	used := cpuTime(workerds())
	c := s.cost[ev.Stage]
	s.cost[ev.Stage] = cost{c.took + ev.Took, c.runtime + used - s.used}
	s.used = used
	if s.after != nil {
		s.after(ev.Stage)
	}
}

// migrate moves one user with the engine in this process, flag and all.
func (w *world) migrate(
	ctx context.Context,
	u userdb.UserID,
	after func(result.Stage),
) (time.Duration, map[result.Stage]cost, error) {
	s := &stages{cost: map[result.Stage]cost{}, used: cpuTime(workerds()), after: after}
	engine := *w.engine
	engine.Observe = s.observe
	var err error
	begun := time.Now()
	fleet.Each(
		ctx,
		&engine,
		[]userdb.UserID{u},
		result.ActionMigrate,
		engine.Migrate,
		func(r result.Result) { err = r.Err() },
	)
	return time.Since(begun), s.cost, err
}
