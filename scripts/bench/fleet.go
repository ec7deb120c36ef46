package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/concurrency"
	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// fleetConcurrency is the command line's own default.
const fleetConcurrency = 8

// manyUsers migrates many users of size S at once and asks how much of the time an import was under way: the
// Durable Objects' SQLite is the slowest part and should never wait.
func manyUsers(ctx context.Context, w *world) (string, error) {
	db, err := w.database(ctx, "S")
	if err != nil {
		return "", err
	}
	var users []userdb.UserID
	for range w.fleet {
		u, err := w.upload(ctx, db)
		if err != nil {
			return "", err
		}
		users = append(users, u)
	}
	var imports intervals
	engine := *w.engine
	limiter := concurrency.NewLimiter(fleetConcurrency)
	engine.Turns, engine.Observe = limiter, imports.observe
	var failed error
	processes := append(workerds(), os.Getpid())
	used := cpuTime(processes)
	begun := time.Now()
	fleet.Crew{Engine: &engine, Limiter: limiter}.Each(
		ctx,
		users,
		result.ActionMigrate,
		engine.Migrate,
		func(r result.Result) { failed = cmp.Or(failed, r.Err()) },
	)
	whole := time.Since(begun)
	if failed != nil {
		return "", failed
	}
	used = cpuTime(processes) - used
	bytes := db.Bytes * int64(len(users))
	return fmt.Sprintf(
		"%d users of %s, %d at once: %s, which is %.1f users and %s a second. An import was under way in **%.1f %%** of the time; "+
			"client and runtime together kept the %d cores busy to %.0f %%.",
		len(
			users,
		),
		megabytes(db.Bytes),
		fleetConcurrency,
		seconds(whole),
		float64(len(users))/whole.Seconds(),
		megabytes(int64(float64(bytes)/whole.Seconds())),
		100*imports.union().
			Seconds()/
			whole.Seconds(),
		runtime.NumCPU(),
		100*used.Seconds()/whole.Seconds()/float64(runtime.NumCPU()),
	), nil
}

// intervals gathers when the Durable Objects were importing.
type intervals struct {
	mu  sync.Mutex
	all [][2]time.Time
}

func (i *intervals) observe(ev result.Event) {
	if ev.Stage != result.StageCopy && ev.Stage != result.StageFinish && ev.Stage != result.StageDigest {
		return
	}
	now := time.Now()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.all = append(i.all, [2]time.Time{now.Add(-ev.Took), now})
}

// union is the time that at least one of them covers.
func (i *intervals) union() time.Duration {
	slices.SortFunc(i.all, func(a, b [2]time.Time) int { return a[0].Compare(b[0]) })
	var covered time.Duration
	var end time.Time
	for _, interval := range i.all {
		from := interval[0]
		if from.Before(end) {
			from = end
		}
		if interval[1].After(from) {
			covered += interval[1].Sub(from)
			end = interval[1]
		}
	}
	return covered
}
