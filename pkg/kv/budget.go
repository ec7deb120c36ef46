package kv

import (
	"context"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"golang.org/x/time/rate"

	"github.com/dbmigrate/dbmigrate/internal/backoff"
)

// The API's limit "applies cumulatively regardless of whether the request is made via the dashboard, API key,
// or API token". A user who goes over it is blocked for the next five minutes
// (developers.cloudflare.com/fundamentals/api/reference/limits).
const (
	budgetWindow = 5 * time.Minute
	apiLimit     = 1200
	// DefaultBudget leaves a quarter of the limit to the dashboard, wrangler and everything else that works
	// under the same account.
	DefaultBudget = apiLimit * 3 / 4
	// MinBudget and MaxBudget bound what can be configured. MaxBudget is room for accounts with a limit that
	// Cloudflare has raised.
	MinBudget = 3
	MaxBudget = 100 * apiLimit
)

// reserveShare of the quota that the API reports is not used: what is left is counted for everybody under the
// account, and others may be quick.
const reserveShare = 10

// newBudget lets through at most requests in any five minutes: a third at once, the rest evenly.
func newBudget(requests int) *rate.Limiter {
	burst := requests / 3
	return rate.NewLimiter(rate.Limit(float64(requests-burst)/budgetWindow.Seconds()), burst)
}

// spend waits for a place in the budget.
func (c *Client) spend(ctx context.Context) error {
	if c.budget == nil {
		return nil
	}
	place := c.budget.Reserve()
	if err := backoff.Sleep(ctx, place.Delay()); err != nil {
		place.Cancel()
		return err
	}
	return nil
}

var (
	remainingQuota = regexp.MustCompile(`;\s*r=(\d+).*;\s*t=(\d+)`)
	totalQuota     = regexp.MustCompile(`;\s*q=(\d+)`)
)

// heed reads what the API says of the account's quota, `Ratelimit: "default";r=50;t=30` and
// `Ratelimit-Policy: "default";q=1200;w=300`. When little is left, all callers wait until the next window
// begins: this process may be one of several.
func (c *Client) heed(header http.Header) {
	said := remainingQuota.FindStringSubmatch(header.Get("Ratelimit"))
	if said == nil {
		return
	}
	left, _ := strconv.Atoi(said[1])
	seconds, _ := strconv.Atoi(said[2])
	quota := apiLimit
	if policy := totalQuota.FindStringSubmatch(header.Get("Ratelimit-Policy")); policy != nil {
		quota, _ = strconv.Atoi(policy[1])
	}
	if left < quota/reserveShare {
		c.gate.pause(min(time.Duration(seconds)*time.Second, mostRetryAfter))
	}
}
