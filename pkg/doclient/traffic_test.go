package doclient

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
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
	done := answerJSON(200, `{}`)
	for name, test := range map[string]struct {
		first     http.HandlerFunc
		throttled int
	}{
		"overloaded":            {answerError(503, wire.KindOverloaded, "{}"), 1},
		"429 of the platform":   {answerHTML(429), 1},
		"503 of the platform":   {answerHTML(503), 1},
		"a cutover is no brake": {answerError(503, wire.KindCutover, "{}"), 0},
		"500":                   {answerHTML(500), 0},
	} {
		t.Run(name, func(t *testing.T) {
			var seen tally
			c, _ := newWorker(t, test.first, done).client(t, func(cfg *Config) { cfg.Traffic = &seen })
			if err := c.Finish(t.Context(), "ann", 1, 0); err == nil {
				t.Log("finished")
			}
			if seen.called < 2 || seen.throttled != test.throttled || seen.who != userdb.ServiceWorker {
				t.Errorf("told %+v", &seen)
			}
		})
	}
}
