package kv

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// tally is a Traffic that counts.
type tally struct {
	mu        sync.Mutex
	called    int
	throttled int
	who       userdb.Service
	until     time.Time
}

func (c *tally) Called(who userdb.Service) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.called, c.who = c.called+1, who
}

func (c *tally) Throttled(who userdb.Service, until time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.throttled, c.who, c.until = c.throttled+1, who, until
}

func TestTrafficIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen tally
		api := &fake{
			steps: []step{
				{status: 429, headers: []string{"Retry-After: 17"}, body: "{}"},
				{status: 500, body: "oops"},
				written,
			},
		}
		c := api.client(t)
		c.traffic = &seen
		begun := time.Now()
		if err := c.Put(t.Context(), []Flag{{User: "ann"}}); err != nil {
			t.Fatal(err)
		}
		if seen.called != 3 || seen.throttled != 1 || seen.who != userdb.ServiceKV ||
			!seen.until.Equal(begun.Add(17*time.Second)) {
			t.Errorf("told %+v", &seen)
		}
	})
}

// An overloaded API slows a fleet down as a throttling one does.
func TestTrafficIsToldOfOverload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen tally
		api := &fake{
			steps: []step{
				refusal(503, 0, "overloaded"),
				refusal(503, 0, "overloaded"),
				refusal(503, 0, "overloaded"),
			},
		}
		c := api.client(t)
		c.traffic = &seen
		if err := c.Put(t.Context(), []Flag{{User: "ann"}}); err == nil || seen.throttled != 2 ||
			seen.who != userdb.ServiceKV {
			t.Errorf("%v, told %+v", err, &seen)
		}
	})
}

// The last attempt is told, too: a limiter must not miss the worst case.
func TestTrafficIsToldOfTheLastAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen tally
		api := &fake{steps: []step{refusal(429, 10429, "slow down")}}
		c := api.client(t)
		c.traffic = &seen
		if err := c.Put(t.Context(), []Flag{{User: "ann"}}); userdb.KindOf(err) != userdb.Throttled ||
			seen.throttled != 3 {
			t.Errorf("%v, told %+v", err, &seen)
		}
	})
}
