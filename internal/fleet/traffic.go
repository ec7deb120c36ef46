package fleet

import (
	"maps"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Traffic is what all clients tell, for progress, metrics and other listeners.
type Traffic struct {
	mu        sync.Mutex
	calls     map[userdb.Service]int64
	throttled map[userdb.Service]int64
	until     map[userdb.Service]time.Time
	listeners []userdb.Traffic
}

// NewTraffic has heard nothing so far.
func NewTraffic() *Traffic {
	return &Traffic{
		calls:     map[userdb.Service]int64{},
		throttled: map[userdb.Service]int64{},
		until:     map[userdb.Service]time.Time{},
	}
}

// Listen passes on what is told from now on.
func (t *Traffic) Listen(l userdb.Traffic) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.listeners = append(t.listeners, l)
}

// Called is told by the clients.
func (t *Traffic) Called(who userdb.Service) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calls[who]++
	for _, l := range t.listeners {
		l.Called(who)
	}
}

// Throttled is told by the clients.
func (t *Traffic) Throttled(who userdb.Service, until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.throttled[who]++
	if until.After(t.until[who]) {
		t.until[who] = until
	}
	for _, l := range t.listeners {
		l.Throttled(who, until)
	}
}

// counts are the requests sent and the times we were asked to slow down, so far.
func (t *Traffic) counts() (calls, throttled map[userdb.Service]int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.calls), maps.Clone(t.throttled)
}

// waits says for which services requests wait right now, and how long still.
func (t *Traffic) waits(now time.Time) map[userdb.Service]time.Duration {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	out := map[userdb.Service]time.Duration{}
	for who, until := range t.until {
		if rest := until.Sub(now); rest > 0 {
			out[who] = rest
		}
	}
	return out
}
