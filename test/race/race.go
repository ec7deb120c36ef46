// Package race lets many clients write and read through the router while operators move their users to and
// fro, as a whole or split, and proves from what the clients saw that nothing acknowledged was lost, nothing
// came twice, and every read was of the present (docs/cutover.md). test/race runs it briefly; scripts/soak
// for as long as one likes.
package race

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
)

// WorkerConfig is the wrangler configuration of the Worker with stale flags, from the module's root.
const WorkerConfig = "worker/test-entry/wrangler.jsonc"

// WorkerVars are the variables of that Worker: users without a file begin in the Durable Object.
func WorkerVars() map[string]string { return map[string]string{"NEW_USERS": "store"} }

// Config says how much is raced. A run ends when both Cycles and Writes are reached, or after Limit.
type Config struct {
	Users, Clients, Operators int // Users and Operators are for each stack, Clients for each user
	// Split races over users who are split, merged, thawed and moved as a whole (docs/split.md); otherwise
	// all are moved as a whole.
	Split          bool
	Cycles, Writes int64
	Limit          time.Duration
	// Retire is the number of entries with which a user makes room for a new one: databases stay small
	// however long a run is. Those who made room are audited at the end.
	Retire int
	// FilePause is the longest pause of a client after a write to a file. R2 takes about one write a second
	// for a key and the local runtime as many as it can; without a pause no migration would ever find a
	// moment between two writes. Pause is the longest one after any other request: without it clients take
	// the whole processor, every request of a command waits behind theirs, and hardly a command comes to an
	// end.
	FilePause, Pause time.Duration
	// Rest is the longest pause of an operator between two commands: without one, users would hardly live on
	// either side.
	Rest time.Duration
	// EvictEvery and RestartEvery are how often a Durable Object is thrown out of memory and the whole
	// runtime is restarted, on each stack.
	EvictEvery, RestartEvery time.Duration
	// MeddleEvery is how often somebody from outside deletes a user's file while the Durable Object serves,
	// or puts an older one in its place, on each stack; with it, killed runtimes come back with Durable
	// Objects that were set back. Not of users who are split.
	MeddleEvery time.Duration
	// Deaths is the share of epochs that end with a deletion. The user begins again under the same name.
	// The first users die early in any case.
	Deaths float64
	// Kills is the share of commands that die at one of their requests, as by kill -9; between 0 and 1.
	Kills float64
	// Referee is the path of scripts/dbdigest.py, which compares backups.
	Referee string
	// Log is told about progress.
	Log io.Writer
}

// Share is a part of what is to be done, between 0 and 1.
func (c Config) Share(share float64) Config {
	c.Cycles, c.Writes = int64(
		math.Round(float64(c.Cycles)*share),
	), int64(
		math.Round(float64(c.Writes)*share),
	)
	return c
}

// race is one run.
type race struct {
	Config
	custom custom
	figure figures
	http   *http.Client
	began  time.Time
	cancel context.CancelCauseFunc

	mu     sync.Mutex
	failed error // the first failure, which may come after the cancel
}

var (
	errEnough = errors.New("cycles and writes are reached")
	errLimit  = errors.New("the time is over")
)

// Run races on fresh stacks that were started with WorkerConfig. A local runtime uses one processor, so
// several of them race side by side. An error means that a promise was broken or the run could not be made or
// was interrupted; the report holds what was measured until then.
func Run(ctx context.Context, stacks []*stack.Stack, config Config) (Report, error) {
	r := &race{Config: config, custom: customOf(config), began: time.Now(), http: &http.Client{
		Timeout:   time.Minute,
		Transport: &http.Transport{MaxIdleConnsPerHost: config.Users * config.Clients},
	}}
	worlds, err := r.worlds(ctx, stacks)
	if err != nil {
		return Report{}, err
	}
	err = r.raceAll(ctx, worlds)
	if err == nil || errors.Is(err, context.Canceled) {
		err = errors.Join(err, r.audit(worlds))
	}
	return r.figure.report(r.Split, time.Since(r.began)), err
}

// raceAll returns when everybody has stopped: operators finish the command that they are at, clients the
// request.
func (r *race) raceAll(ctx context.Context, worlds []*world) error {
	ctx, r.cancel = context.WithCancelCause(ctx)
	defer r.cancel(nil)
	timer := time.AfterFunc(r.Limit, func() { r.cancel(errLimit) })
	defer timer.Stop()
	var everybody sync.WaitGroup
	for _, w := range worlds {
		w.begin(ctx, &everybody)
	}
	everybody.Go(func() { r.every(ctx, time.Second, r.enough) })
	everybody.Go(func() { r.every(ctx, 30*time.Second, r.say) })
	everybody.Wait()
	return r.whatFailed(ctx)
}

// whatFailed is nil where the race was ended because it was over.
func (r *race) whatFailed(ctx context.Context) error {
	if r.failed != nil {
		return r.failed
	}
	if err := context.Cause(ctx); !errors.Is(err, errEnough) && !errors.Is(err, errLimit) {
		return err
	}
	return nil
}

func (r *race) failOn(err error) {
	if err == nil {
		return
	}
	r.cancel(err)
	if errors.Is(err, errEnough) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == nil {
		r.failed = err
	}
}

// every waits between the end of one and the beginning of the next: on a crowded machine a restart takes
// longer than any interval.
func (r *race) every(ctx context.Context, interval time.Duration, do func() error) {
	for interval > 0 {
		select {
		case <-ctx.Done():
			return
		case <-time.After(interval):
			r.failOn(do())
		}
	}
}

// lead says how far writes are ahead of cycles (or behind, below zero) on the way to their numbers, as shares
// of them.
func (r *race) lead() float64 {
	return float64(
		r.figure.acknowledged.Load(),
	)/float64(
		max(1, r.Writes),
	) - float64(
		r.figure.cycles(),
	)/float64(
		max(1, r.Cycles),
	)
}

// stretched is the longest pause of somebody who is so far ahead. Clients and operators compete for one
// processor, and those who are behind get more of it.
func stretched(longest time.Duration, lead float64) time.Duration {
	const steepness, most = 500, 10
	return time.Duration(float64(longest) * min(most, 1+steepness*max(0, lead)))
}

func (r *race) enough() error {
	if r.figure.cycles() >= r.Cycles && r.figure.acknowledged.Load() >= r.Writes {
		return errEnough
	}
	return nil
}

func (r *race) say() error {
	now := r.figure.report(r.Split, time.Since(r.began))
	fmt.Fprintf(
		r.Log,
		"race: %s: %d cycles, %d acknowledged writes, %d lost\n",
		now.Took.Round(time.Second),
		now.Cycles,
		now.Acknowledged,
		now.Lost,
	)
	return nil
}

// audit ends the race: every user is moved there and back once more, undisturbed, and everybody who ever was
// is read a last time.
func (r *race) audit(worlds []*world) error {
	problems := make([]error, len(worlds))
	var all sync.WaitGroup
	for i, w := range worlds {
		all.Go(func() { problems[i] = w.audit() })
	}
	all.Wait()
	return errors.Join(problems...)
}
