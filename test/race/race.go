// Package race lets many clients write and read through the router while operators move their users to and fro, and proves from what the
// clients saw that nothing acknowledged was lost, nothing came twice, and every read was of the present (docs/cutover.md). test/race runs it
// briefly; scripts/soak for as long as one likes.
package race

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/stack"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// WorkerConfig is the wrangler configuration of the Worker with stale flags, from the module's root.
const WorkerConfig = "worker/test-entry/wrangler.jsonc"

// Config says how much is raced. A run ends when both Cycles and Writes are reached, or after Limit.
type Config struct {
	Users, Clients, Operators int // Clients is for each user
	Cycles, Writes            int64
	Limit                     time.Duration
	// FilePause is the longest pause of a client after a write to a file. R2 takes about one write a second for a key and the local
	// runtime as many as it can; without a pause no migration would ever find a moment between two writes.
	FilePause time.Duration
	// EvictEvery and RestartEvery are how often a Durable Object is thrown out of memory and the whole runtime is restarted.
	EvictEvery, RestartEvery time.Duration
	// Kills is the share of commands that die at one of their requests, as by kill -9; between 0 and 1.
	Kills float64
	// Log is told about progress and about restarts.
	Log io.Writer
}

// race is one run.
type race struct {
	Config
	stack  *stack.Stack
	figure figures
	users  []userdb.UserID
	http   *http.Client
	url    string // of the Worker; the stack's own field changes hands during a restart
	began  time.Time
	cancel context.CancelCauseFunc
}

var (
	errEnough = errors.New("cycles and writes are reached")
	errLimit  = errors.New("the time is over")
)

// Run races on a fresh stack that was started with WorkerConfig. An error means that a promise was broken or the run could not be made;
// the report holds what was measured until then.
func Run(ctx context.Context, s *stack.Stack, config Config) (Report, error) {
	r := &race{Config: config, stack: s, url: s.URL, began: time.Now(), http: &http.Client{
		Timeout:   time.Minute,
		Transport: &http.Transport{MaxIdleConnsPerHost: config.Users * config.Clients},
	}}
	operators, err := r.prepare(ctx)
	if err != nil {
		return Report{}, err
	}
	ctx, r.cancel = context.WithCancelCause(ctx)
	defer r.cancel(nil)
	timer := time.AfterFunc(config.Limit, func() { r.cancel(errLimit) })
	defer timer.Stop()
	r.runAll(ctx, operators)
	err = context.Cause(ctx)
	if errors.Is(err, errEnough) || errors.Is(err, errLimit) {
		err = nil
	}
	return r.figure.report(time.Since(r.began)), err
}

// prepare writes the users' files and makes the operators.
func (r *race) prepare(ctx context.Context) ([]*operator, error) {
	var operators []*operator
	for n := range r.Operators {
		o, err := newOperator(ctx, r, n)
		if err != nil {
			return nil, err
		}
		operators = append(operators, o)
	}
	for n := range r.Users {
		u := userdb.UserID(fmt.Sprintf("racer-%d", n))
		if err := putEmptyLedger(ctx, operators[0].patient.Files, u); err != nil {
			return nil, err
		}
		r.users = append(r.users, u)
	}
	return operators, nil
}

// runAll returns when everybody has stopped: operators finish the command that they are at, clients the request.
func (r *race) runAll(ctx context.Context, operators []*operator) {
	var everybody sync.WaitGroup
	for _, u := range r.users {
		everybody.Go(func() { r.failOn(newWitness(r, u).run(ctx)) })
	}
	for _, o := range operators {
		everybody.Go(func() { r.failOn(o.run(ctx)) })
	}
	everybody.Go(func() { r.every(ctx, r.EvictEvery, r.evict) })
	everybody.Go(func() { r.every(ctx, r.RestartEvery, r.restart) })
	everybody.Go(func() { r.every(ctx, time.Second, r.enough) })
	everybody.Go(func() { r.every(ctx, 30*time.Second, r.say) })
	everybody.Wait()
}

func (r *race) failOn(err error) {
	if err != nil {
		r.cancel(err)
	}
}

func (r *race) every(ctx context.Context, interval time.Duration, do func() error) {
	if interval == 0 {
		return
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			r.failOn(do())
		}
	}
}

func (r *race) enough() error {
	if r.figure.cycles() >= r.Cycles && r.figure.acknowledged.Load() >= r.Writes {
		return errEnough
	}
	return nil
}

func (r *race) say() error {
	now := r.figure.report(time.Since(r.began))
	fmt.Fprintf(r.Log, "%s: %d cycles, %d acknowledged writes\n", now.Took.Round(time.Second), now.Cycles, now.Acknowledged)
	return nil
}

// evict throws one Durable Object out of memory, together with whatever it is doing. While the runtime restarts there is none.
func (r *race) evict() error {
	u := r.users[rand.IntN(len(r.users))]
	answer, err := r.http.Post(r.url+"/test/evict/"+string(u), "text/plain", nil)
	if err != nil {
		return nil
	}
	answer.Body.Close()
	if answer.StatusCode == http.StatusOK {
		r.figure.evictions.Add(1)
	}
	return nil
}

// restart ends the Worker, its Durable Objects and the local R2 and KV at once, and starts them again on their state.
func (r *race) restart() error {
	if err := r.stack.Restart(context.Background()); err != nil {
		return fmt.Errorf("restart the runtime: %w", err)
	}
	r.figure.restarts.Add(1)
	return nil
}
