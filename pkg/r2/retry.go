package r2

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"

	"github.com/dbmigrate/dbmigrate/internal/backoff"
)

// waits are how long to wait before the next attempt.
type waits struct {
	first     time.Duration // after the first failure, then doubled
	throttled time.Duration // least wait after a 429: R2 takes one write a second per key
	most      time.Duration
}

var defaultWaits = waits{first: 200 * time.Millisecond, throttled: time.Second, most: 10 * time.Second}

// delay is the wait after the given number of failures.
func (w waits) delay(failures int, throttled bool) time.Duration {
	growth := backoff.Growth{First: w.first, Most: w.most}
	if throttled {
		growth.First = w.throttled
	}
	return backoff.Spread(growth.After(failures))
}

// wait sleeps for the delay, or less when ctx ends.
func (w waits) wait(ctx context.Context, failures int) error {
	return backoff.Sleep(ctx, w.delay(failures, false))
}

// mostSilences is how often a request may find no answer at all. Each costs half a minute or more.
const mostSilences = 4

// silent says that nothing came in the time that an attempt has.
func silent(err error) bool {
	var timed net.Error
	return errors.As(err, &timed) && timed.Timeout()
}

// newRetryer is the SDK's standard retryer with our delays, and without its quota over all requests: during
// an outage the quota would fail every parallel transfer at its first error, and attempts are bounded anyway.
func newRetryer(maxAttempts int, waits waits) aws.Retryer {
	return retry.NewStandard(func(options *retry.StandardOptions) {
		options.MaxAttempts = maxAttempts
		options.RateLimiter = ratelimit.None
		options.Backoff = retry.BackoffDelayerFunc(func(failures int, err error) (time.Duration, error) {
			if failures >= mostSilences && silent(err) {
				return 0, err
			}
			return waits.delay(failures, statusOf(err) == http.StatusTooManyRequests), nil
		})
		options.Retryables = append(options.Retryables, retry.RetryableHTTPStatusCode{
			Codes: map[int]struct{}{http.StatusTooManyRequests: {}},
		})
	})
}
