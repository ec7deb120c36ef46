// Package backoff says how long a client waits before it sends a request again.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Growth doubles from First up to Most.
type Growth struct{ First, Most time.Duration }

// After returns the wait after so many failures. The first failure counts as 1.
func (g Growth) After(failures int) time.Duration {
	wait := g.First
	for range failures - 1 {
		if wait >= g.Most {
			break
		}
		wait *= 2
	}
	if failures > 1 {
		wait = min(wait, g.Most)
	}
	return wait
}

// Spread returns d and up to a quarter more, so that parallel clients spread out.
func Spread(d time.Duration) time.Duration { return d + UpTo(d/4) }

// UpTo returns any time from zero to d, so that many clients do not come back together.
func UpTo(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d + 1)
}

// Sleep returns after d, or with the error of ctx when that ends first.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
