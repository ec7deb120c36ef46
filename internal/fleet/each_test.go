package fleet

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/concurrency"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// A run over many users against a platform that bears 5 at once: it stays under the cap, comes to about 5,
// and ends.
func TestEachFindsWhatThePlatformBears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const bears = 5
		c := Crew{Engine: &migrate.Engine{}, Limiter: concurrency.NewLimiter(64)}
		var inFlight, most, late atomic.Int64
		users := make([]userdb.UserID, 2000)
		began := time.Now()
		c.Each(t.Context(), users, result.ActionVerify, func(context.Context, userdb.UserID) result.Result {
			n := inFlight.Add(1)
			defer inFlight.Add(-1)
			most.Store(max(most.Load(), n))
			if n > bears {
				c.Limiter.Throttled(userdb.ServiceWorker, time.Now())
			}
			if n > 2*bears && time.Since(began) > time.Minute {
				late.Add(1)
			}
			time.Sleep(time.Second)
			return result.Result{}
		}, func(result.Result) {})
		if most.Load() > 64 || late.Load() > 0 {
			t.Errorf("%d at once, %d begun far above what the platform bears", most.Load(), late.Load())
		}
		if took := time.Since(began); took > time.Duration(len(users))*time.Second/2 {
			t.Errorf("took %v: it did not grow back", took)
		}
	})
}
