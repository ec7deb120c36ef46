package r2

import (
	"strings"
	"sync"
	"testing"
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
	for name, test := range map[string]struct {
		steps             []step
		called, throttled int
	}{
		"at once":   {[]step{stored(etagOf("x"))}, 1, 0},
		"429":       {[]step{answer(429, "TooManyRequests"), stored(etagOf("x"))}, 2, 1},
		"slow down": {[]step{answer(503, "SlowDown"), answer(503, "SlowDown"), stored(etagOf("x"))}, 3, 2},
		"500":       {[]step{answer(500, "InternalError"), stored(etagOf("x"))}, 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var seen tally
			config := newFake(t, test.steps...).config()
			config.Traffic = &seen
			if _, err := newClient(t, config).Put(t.Context(), "ann/database.sqlite", strings.NewReader("x"), 1, PutOptions{}); err != nil {
				t.Fatal(err)
			}
			if seen.called != test.called || seen.throttled != test.throttled ||
				seen.who != userdb.ServiceR2 ||
				(test.throttled > 0) == seen.until.IsZero() {
				t.Errorf("told %+v", &seen)
			}
		})
	}
}
