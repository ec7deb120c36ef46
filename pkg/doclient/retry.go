package doclient

import (
	"context"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/backoff"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// RetryPolicy says how often and how fast a message is repeated. Between attempts the client waits a random
// time between zero and Base·2ⁿ, at most Max (full jitter, so that many clients do not come back together),
// or what Retry-After says and up to Base more. Repeated are: connections that could not be made or broke,
// attempts that timed out, answers that were cut off, HTTP 429 and 5xx, and the wire kinds overloaded,
// cutover-in-progress and internal. Nothing else is.
type RetryPolicy struct {
	Attempts      int           // in all; 1 never repeats
	Base          time.Duration // the longest first wait
	Max           time.Duration // the longest wait that the client chooses by itself
	MaxRetryAfter time.Duration // a longer Retry-After ends the call at once, as Throttled
}

// DefaultRetry keeps trying for about a minute, and through the five minutes for which Cloudflare closes an
// API after 429.
var DefaultRetry = RetryPolicy{
	Attempts:      8,
	Base:          250 * time.Millisecond,
	Max:           20 * time.Second,
	MaxRetryAfter: 6 * time.Minute,
}

// wait is how long to wait after so many attempts; ok is false when the message is not to be repeated.
func (p RetryPolicy) wait(attempts int, retryAfter time.Duration) (wait time.Duration, ok bool) {
	if attempts >= p.Attempts || retryAfter > p.MaxRetryAfter {
		return 0, false
	}
	if retryAfter > 0 {
		return retryAfter + backoff.UpTo(p.Base), true
	}
	return backoff.UpTo(backoff.Growth{First: min(p.Base, p.Max), Most: p.Max}.After(attempts)), true
}

type sleepFunc func(ctx context.Context, d time.Duration) error

// fits says whether a wait ends before ctx does: otherwise the failure at hand tells more than the deadline's
// would.
func fits(ctx context.Context, wait time.Duration) bool {
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) > wait
}

// Attempt is what Observe is told: one HTTP exchange. A pace-maker slows down on Kind Throttled; a log shows
// the rest.
type Attempt struct {
	Op       string        // "claim", "send rows", ...
	User     userdb.UserID // empty for Hello
	Status   int           // HTTP; 0 when no answer came
	Kind     userdb.Kind   // "" for success
	Duration time.Duration
	Wait     time.Duration // until the next attempt
	Again    bool          // there is a next attempt
}
