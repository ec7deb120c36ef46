// Package concurrency decides how many users are in flight: what the platform bears, and what one process has
// memory for.
package concurrency

import (
	"context"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Limiter says how many users may be in flight: a cap, and below it what the platform bears. It starts at a
// few, doubles while nobody complains, and halves when a server says that it is overloaded. Then it comes
// back quickly to just below the number that was too many, and grows by one now and then (see step). All
// clients of a run report into one Limiter. It is never under 1, so a run always goes on. Of the users in
// flight it lets only some import at a time, see Import.
type Limiter struct {
	mu       sync.Mutex
	cap      int
	limit    float64
	ceiling  float64 // how many were too many, the last time; 0: nobody complained so far
	inFlight int
	imports  int       // users in flight who import
	memory   int64     // that these take
	until    time.Time // nobody is begun before
	heldOff  time.Time // complaints until then are about what was sent before the last cut
	by       userdb.Service
	cuts     int
	changed  chan struct{} // closed when somebody who waits may look again
}

const (
	// firstLimit is how many users are begun at once before anything is known of the platform.
	firstLimit = 8
	// holdOff is how long after a cut further complaints do not cut again: they come from requests that were
	// under way already.
	holdOff = time.Second
	// usersPerImport is how many users in flight there are to one who imports: the import is a third of a
	// small user's way, and half of a large one's.
	usersPerImport = 3
	// importPatience is the time of several imports of small users, who are many. It is too short for a large
	// import, which others need not wait for.
	importPatience = time.Second
	// importMemory bounds what the users who import take of this process's memory together: one takes
	// importBase, and as much as the rows under way, which are at most importBatches.
	importMemory  = 16 << 20
	importBase    = 1 << 20
	importBatches = 4 << 20
	// mostPause bounds what a Retry-After can make a run wait before it begins the next user.
	mostPause = 10 * time.Minute
	// nearCeiling is the share of the ceiling up to which the limit doubles again after a cut. A run that
	// halved and then grew by one a round would spend a quarter of its time on growing back.
	nearCeiling = 0.9
	// probeRounds is how many rounds of users one more user takes between there and the ceiling. Each cut
	// costs about two rounds, so they should be rare.
	probeRounds = 16
)

// DefaultCap is how many users are in flight at most, unless the operator wants fewer. A rollback of 10,000
// users ends in a minute with it, 50 ms away from the platform; with more, one process has too little memory
// and too few connections.
const DefaultCap = 128

// NewLimiter makes one with a cap of at least 1.
func NewLimiter(most int) *Limiter {
	most = max(1, most)
	return &Limiter{cap: most, limit: float64(min(most, firstLimit)), changed: make(chan struct{})}
}

// NewFixed makes one that begins at its cap: what somebody would choose who knows what the platform bears.
func NewFixed(most int) *Limiter {
	l := NewLimiter(most)
	l.limit = float64(l.cap)
	return l
}

// Acquire waits for a place. It returns ctx's error when that ends first.
func (l *Limiter) Acquire(ctx context.Context) error {
	for ctx.Err() == nil {
		wait, changed, ok := l.tryAcquire()
		if ok {
			return nil
		}
		var over <-chan time.Time
		if wait > 0 {
			over = time.After(wait)
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-over:
		}
	}
	return ctx.Err()
}

// Import waits for a user's turn to import, which one in three of the users that the Limiter lets may have at
// a time. Users who began together would otherwise stay together, as in a convoy: all import at once, and
// then all do something else, while nobody imports. For that nobody waits longer than importPatience. For
// memory, users wait until there is room. When ctx ends, nobody waits. The caller gives the turn back with
// end.
func (l *Limiter) Import(ctx context.Context, bytes int64) (end func()) {
	takes := importBase + min(bytes, importBatches)
	patience := time.After(importPatience)
	for waiting := true; ; {
		changed, ok := l.tryImport(waiting, takes, ctx.Err() != nil)
		if ok {
			return func() { l.imported(takes) }
		}
		select {
		case <-ctx.Done():
		case <-patience:
			waiting = false
		case <-changed:
		}
	}
}

// tryAcquire takes a place if there is one; otherwise it says how long nobody is begun, and what to wait for.
func (l *Limiter) tryAcquire() (wait time.Duration, changed <-chan struct{}, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait = time.Until(l.until); wait > 0 || l.inFlight >= int(l.limit) {
		return wait, l.changed, false
	}
	l.inFlight++
	return 0, nil, true
}

// tryImport takes a turn if there is one and room, or at once; otherwise it says what to wait for. waiting
// says that the user has not yet waited enough for a turn.
func (l *Limiter) tryImport(waiting bool, takes int64, atOnce bool) (changed <-chan struct{}, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	noTurn := waiting && l.imports*usersPerImport >= int(l.limit)
	noRoom := l.imports > 0 && l.memory+takes > importMemory
	if !atOnce && (noTurn || noRoom) {
		return l.changed, false
	}
	l.imports++
	l.memory += takes
	return nil, true
}

func (l *Limiter) imported(takes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.imports--
	l.memory -= takes
	l.wake()
}

// Release gives a place back. A user who was done is a sign that the platform bears what it gets.
func (l *Limiter) Release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.inFlight--
	if time.Now().After(l.heldOff) {
		l.limit = min(float64(l.cap), l.limit+l.step())
	}
	l.wake()
}

// step is how much one user who went well adds to the limit. A round is as many users as the limit lets, so 1
// doubles the limit in a round, and 1/limit adds one user. What the platform bears may have grown: above the
// ceiling, the limit grows faster than just below it.
func (l *Limiter) step() float64 {
	switch {
	case l.ceiling == 0:
		return 1
	case l.limit < nearCeiling*l.ceiling:
		return min(1, nearCeiling*l.ceiling-l.limit)
	case l.limit < l.ceiling:
		return 1 / (probeRounds * l.limit)
	}
	return 1 / l.limit
}

// Called is told by the clients; a Limiter listens to complaints only.
func (l *Limiter) Called(userdb.Service) {}

// Throttled is told by the clients: a server refused for want of capacity (429, 503, an overloaded Durable
// Object) and wants to be left alone until then. KV is not heard: flags are written in bulk, after the
// switch, and no user's move waits for them.
func (l *Limiter) Throttled(who userdb.Service, until time.Time) {
	if who == userdb.ServiceKV {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	wait := min(max(0, until.Sub(now)), mostPause)
	if until = now.Add(wait); until.After(l.until) {
		l.until = until
	}
	l.by = who
	if now.Before(l.heldOff) {
		return
	}
	l.heldOff = now.Add(max(holdOff, wait))
	l.ceiling = l.limit
	l.limit = max(1, l.limit/2)
	l.cuts++
}

func (l *Limiter) wake() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// Pressure is what a Limiter does at the moment.
type Pressure struct {
	Cap, Limit, InFlight int
	Cuts                 int            // how often the limit was halved
	By                   userdb.Service // who was overloaded last; "" nobody so far
	Until                time.Time      // nobody is begun before; past or zero: no pause
}

// Pressure tells people why a run is slow.
func (l *Limiter) Pressure() Pressure {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Pressure{
		Cap:      l.cap,
		Limit:    int(l.limit),
		InFlight: l.inFlight,
		Cuts:     l.cuts,
		By:       l.by,
		Until:    l.until,
	}
}
