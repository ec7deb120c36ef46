package r2

import (
	"context"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// backoff is how long to wait before the next attempt.
type backoff struct {
	first     time.Duration // after the first failure, then doubled
	throttled time.Duration // least wait after a 429: R2 takes one write a second per key
	most      time.Duration
}

var defaultBackoff = backoff{first: 200 * time.Millisecond, throttled: time.Second, most: 10 * time.Second}

// delay waits after the given number of failures (1 is the first), with up to a quarter more so that parallel
// clients spread out.
func (b backoff) delay(failures int, throttled bool) time.Duration {
	base := b.first
	if throttled {
		base = b.throttled
	}
	for range failures - 1 {
		base = min(2*base, b.most)
	}
	return base + rand.N(base/4+1)
}

// wait sleeps for the delay, or less when ctx ends.
func (b backoff) wait(ctx context.Context, failures int) error {
	timer := time.NewTimer(b.delay(failures, false))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// newRetryer is the SDK's standard retryer with our delays, and without its quota over all requests: during
// an outage the quota would fail every parallel transfer at its first error, and attempts are bounded anyway.
func newRetryer(maxAttempts int, waits backoff) aws.Retryer {
	return retry.NewStandard(func(options *retry.StandardOptions) {
		options.MaxAttempts = maxAttempts
		options.RateLimiter = ratelimit.None
		options.Backoff = retry.BackoffDelayerFunc(func(failures int, err error) (time.Duration, error) {
			return waits.delay(failures, statusOf(err) == http.StatusTooManyRequests), nil
		})
		options.Retryables = append(options.Retryables, retry.RetryableHTTPStatusCode{
			Codes: map[int]struct{}{http.StatusTooManyRequests: {}},
		})
	})
}
