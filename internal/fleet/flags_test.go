package fleet

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// countedFlags takes a second for each call and counts.
type countedFlags struct {
	migrate.Flags
	mu          sync.Mutex
	calls, keys int
	most        int
	fail        error
}

func (f *countedFlags) Put(_ context.Context, flags []userdb.Flag) error { return f.count(len(flags)) }

func (f *countedFlags) Delete(_ context.Context, users []userdb.UserID) error {
	return f.count(len(users))
}

func (f *countedFlags) count(n int) error {
	time.Sleep(time.Second)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls++
	f.keys += n
	f.most = max(f.most, n)
	return f.fail
}

func users(n int) []userdb.UserID {
	all := make([]userdb.UserID, n)
	for i := range all {
		all[i] = userdb.UserID(fmt.Sprintf("u%05d", i))
	}
	return all
}

func TestFlagsOfTenThousandUsersAreThreeCalls(t *testing.T) {
	for name, change := range map[string]result.FlagChange{"put": {Put: &userdb.FlagMeta{}}, "delete": {Delete: true}} {
		synctest.Test(t, func(t *testing.T) {
			flags := &countedFlags{}
			e := &migrate.Engine{Flags: flags, Concurrency: 64}
			reported := 0
			Each(
				t.Context(),
				e,
				users(10_000),
				result.ActionMigrate,
				func(context.Context, userdb.UserID) result.Result {
					time.Sleep(time.Millisecond)
					return result.Result{Flag: change}
				},
				func(result.Result) { reported++ },
			)
			if flags.calls > 3 || flags.keys != 10_000 || flags.most > flagBatch || reported != 10_000 {
				t.Errorf(
					"%s: %d calls, %d keys, %d at once, %d reported",
					name,
					flags.calls,
					flags.keys,
					flags.most,
					reported,
				)
			}
			t.Logf("%s: %d calls", name, flags.calls)
		})
	}
}

// A long run writes flags as it goes, about six calls a minute, and nobody's flag lags much longer than that.
func TestFlagsOfALongRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		flags := &countedFlags{}
		e := &migrate.Engine{Flags: flags, Concurrency: 8}
		var done sync.Map
		var late atomic.Int64
		Each(
			t.Context(),
			e,
			users(6000),
			result.ActionMigrate,
			func(_ context.Context, u userdb.UserID) result.Result {
				time.Sleep(time.Second)
				done.Store(u, time.Now())
				return result.Result{User: u, Flag: result.FlagChange{Put: &userdb.FlagMeta{}}}
			},
			func(r result.Result) {
				at, _ := done.Load(r.User)
				if time.Since(at.(time.Time)) > mostFlagDelay+2*time.Second {
					late.Add(1)
				}
			},
		)
		if minutes := 6000.0 / 8 / 60; float64(flags.calls) > 6*minutes+5 || late.Load() > 0 {
			t.Errorf("%d calls in %.1f minutes, %d users waited too long", flags.calls, minutes, late.Load())
		}
	})
}

func TestFlagFailureFailsTheUsersOfTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &migrate.Engine{Flags: &countedFlags{fail: errors.New("no")}, Concurrency: 2}
		failed := 0
		Each(
			t.Context(),
			e,
			users(5),
			result.ActionMigrate,
			func(_ context.Context, u userdb.UserID) result.Result {
				return result.Result{User: u, Flag: result.FlagChange{Put: &userdb.FlagMeta{}}}
			},
			func(r result.Result) {
				if r.Err() != nil {
					failed++
				}
			},
		)
		if failed != 5 {
			t.Errorf("%d failed", failed)
		}
	})
}
