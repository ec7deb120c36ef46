package fleet

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/concurrency"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// downFlags is KV as a client sees it that does not answer: every call takes as long as the client's
// attempts, or as its caller waits.
type downFlags struct {
	migrate.Flags
	kind userdb.Kind

	mu      sync.Mutex
	calls   int
	up      bool
	partly  []userdb.UserID // the only users of a call with flags that are left
	deleted []userdb.UserID
}

const clientTries = 68 * time.Second

func (f *downFlags) Delete(ctx context.Context, users []userdb.UserID) error {
	f.mu.Lock()
	f.calls++
	up := f.up
	f.mu.Unlock()
	if up {
		f.deleted = append(f.deleted, users...)
		return nil
	}
	select {
	case <-time.After(clientTries):
	case <-ctx.Done():
	}
	err := &userdb.Error{
		Op:    "delete flags",
		Thing: fmt.Sprint(users),
		Kind:  f.kind,
		Err:   errors.New("answer 503"),
	}
	if f.partly != nil {
		err.Err = someLeft{f.partly, err.Err}
	}
	return err
}

type someLeft struct {
	users []userdb.UserID
	error
}

func (s someLeft) Unwritten() []userdb.UserID { return s.users }

// rollBack rolls users back who come a second apart, and returns their accounts and how long it took.
func rollBack(t *testing.T, flags migrate.Flags, n int) ([]result.Result, time.Duration) {
	t.Helper()
	e, began := &migrate.Engine{Flags: flags, Concurrency: 1}, time.Now()
	var accounts []result.Result
	Each(
		t.Context(),
		e,
		users(n),
		result.ActionRollback,
		func(_ context.Context, u userdb.UserID) result.Result {
			time.Sleep(time.Second)
			return result.Result{
				User:    u,
				Action:  result.ActionRollback,
				Outcome: result.OutcomeRestored,
				Flag:    result.FlagChange{Delete: true},
			}
		},
		func(r result.Result) { accounts = append(accounts, r) },
	)
	return accounts, time.Since(began)
}

// TestOnlyTheFirstWaitsForKV: once KV is found down, nobody else waits for its retries, and everybody is said
// to be back with a flag left.
func TestOnlyTheFirstWaitsForKV(t *testing.T) {
	for _, kind := range []userdb.Kind{userdb.Unreachable, userdb.Throttled, userdb.Unauthorized} {
		synctest.Test(t, func(t *testing.T) {
			const n = 100
			began, ended, longest := time.Now(), map[userdb.UserID]time.Time{}, time.Duration(0)
			var mu sync.Mutex
			var accounts []result.Result
			Each(
				t.Context(),
				&migrate.Engine{Flags: &downFlags{kind: kind}, Concurrency: 1},
				users(n),
				result.ActionRollback,
				func(_ context.Context, u userdb.UserID) result.Result {
					time.Sleep(time.Second)
					mu.Lock()
					defer mu.Unlock()
					ended[u] = time.Now()
					return result.Result{
						User:    u,
						Action:  result.ActionRollback,
						Outcome: result.OutcomeRestored,
						Flag:    result.FlagChange{Delete: true},
					}
				},
				func(r result.Result) {
					accounts = append(accounts, r)
					mu.Lock()
					defer mu.Unlock()
					if ended[r.User].Sub(began) > rollbackPatience(n) {
						longest = max(longest, time.Since(ended[r.User]))
					}
				},
			)
			for _, r := range accounts {
				if !r.FlagLeft() || userdb.KindOf(r.Err()) != kind || r.Outcome != result.OutcomeRestored {
					t.Fatalf("%s: %s with %v", r.User, r.Outcome, r.Err())
				}
			}
			// Who comes later waits for company and for one or two short probes, and for nobody's retries.
			if len(accounts) != n || longest > mostFlagDelay+2*flagProbe {
				t.Errorf("%s: %d accounts, and one waited for %v", kind, len(accounts), longest)
			}
		})
	}
}

// TestKVComesBack: a service that answers again gets the flags of everybody who comes then.
func TestKVComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		flags := &downFlags{kind: userdb.Unreachable}
		time.AfterFunc(time.Minute, func() {
			flags.mu.Lock()
			defer flags.mu.Unlock()
			flags.up = true
		})
		accounts, _ := rollBack(t, flags, 200)
		left := 0
		for _, r := range accounts {
			if r.FlagLeft() {
				left++
			}
		}
		if left == 0 || left+len(flags.deleted) != 200 || left > 80 {
			t.Errorf("%d flags left, %d deleted", left, len(flags.deleted))
		}
	})
}

// TestOnlyUnwrittenFlagsAreLeft: KV names keys that it did not delete; the others of the call are done.
func TestOnlyUnwrittenFlagsAreLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		accounts, _ := rollBack(t, &downFlags{kind: userdb.Unreachable, partly: []userdb.UserID{"u00001"}}, 2)
		var left []userdb.UserID
		for _, r := range accounts {
			if r.FlagLeft() {
				left = append(left, r.User)
			}
		}
		if !slices.Equal(left, []userdb.UserID{"u00001"}) {
			t.Errorf("left are the flags of %v", left)
		}
	})
}

// TestKVSlowsNobody: flags are written after the switch, so KV's complaints begin no fewer users.
func TestKVSlowsNobody(t *testing.T) {
	l := concurrency.NewLimiter(8)
	l.Throttled(userdb.ServiceKV, time.Now().Add(time.Hour))
	if p := l.Pressure(); p.Cuts != 0 || time.Now().Before(p.Until) || p.Limit != 8 {
		t.Errorf("%+v", p)
	}
}
