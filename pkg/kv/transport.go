package kv

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cloudflare/cloudflare-go/v7/option"

	"github.com/dbmigrate/dbmigrate/internal/backoff"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

var (
	afterFailure = backoff.Growth{First: 500 * time.Millisecond, Most: 30 * time.Second}
	// A 429 without Retry-After is waited for longer: the API blocks for 5 minutes, and 8 attempts then span
	// a little more.
	afterThrottle = backoff.Growth{First: 10 * time.Second, Most: time.Minute}
)

const (
	// mostRetryAfter bounds what a Retry-After can make us wait.
	mostRetryAfter = 10 * time.Minute
	maxAnswerBytes = 64 << 20
)

// gate makes all callers of a client wait together: the API counts requests of the whole account.
type gate struct {
	mu    sync.Mutex
	until time.Time
}

func (g *gate) pause(d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if until := time.Now().Add(d); until.After(g.until) {
		g.until = until
	}
}

// pass waits until nobody's pause is left, also one that begins meanwhile.
func (g *gate) pass(ctx context.Context) error {
	for {
		g.mu.Lock()
		rest := time.Until(g.until)
		g.mu.Unlock()
		if rest <= 0 {
			return ctx.Err()
		}
		if err := backoff.Sleep(ctx, rest); err != nil {
			return err
		}
	}
}

// roundTrip is the middleware through which every request goes: account prefix, gate, count, retries,
// verdict.
func (c *Client) roundTrip(request *http.Request, next option.MiddlewareNext) (*http.Response, error) {
	if c.local {
		request.URL.Path = strings.Replace(request.URL.Path, "/accounts/"+c.accountID, "", 1)
	}
	ctx := request.Context()
	for failures := 1; ; failures++ {
		if err := c.mayGo(ctx); err != nil {
			return nil, err
		}
		response, err := c.attempt(request, next)
		verdict, again := judge(response, err)
		if response != nil {
			c.heed(response.Header)
		}
		if verdict == nil {
			return response, nil
		}
		if ctx.Err() != nil {
			return nil, verdict
		}
		remember(ctx, verdict)
		throttled := verdict.throttled()
		if throttled {
			pause := retryAfter(response, failures)
			c.gate.pause(pause)
			c.traffic.Throttled(userdb.ServiceKV, time.Now().Add(pause))
		}
		if !again || failures >= c.maxAttempts || ctx.Err() != nil {
			return nil, verdict
		}
		if throttled {
			continue
		}
		wait := backoff.Spread(afterFailure.After(failures))
		if response != nil && response.StatusCode == http.StatusServiceUnavailable {
			c.traffic.Throttled(
				userdb.ServiceKV,
				time.Now().Add(wait),
			) // overloaded: the others go slower, too
		}
		if err := backoff.Sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// heard is the API's last refusal within one call of this package. The SDK forgets it when the caller's time
// is over.
type heard struct{ last *answer }

type heardKey struct{}

func listening(ctx context.Context) context.Context {
	return context.WithValue(ctx, heardKey{}, &heard{})
}

func remember(ctx context.Context, verdict *answer) {
	if h, ok := ctx.Value(heardKey{}).(*heard); ok {
		h.last = verdict
	}
}

// patienceOver says whether the caller's time for the request is over, rather than the caller stopped.
func patienceOver(ctx context.Context) bool {
	return errors.Is(context.Cause(ctx), context.DeadlineExceeded)
}

// saidBefore is what the API answered to the last attempt: it tells more than that the time is over.
func saidBefore(ctx context.Context) *answer {
	if h, ok := ctx.Value(heardKey{}).(*heard); ok && h.last != nil {
		return h.last
	}
	return &answer{kind: userdb.Unreachable, text: "no answer within the time for it", hint: hintOutage}
}

// mayGo waits for a place in the budget, and then until nobody's pause is left.
func (c *Client) mayGo(ctx context.Context) error {
	if err := c.spend(ctx); err != nil {
		return err
	}
	return c.gate.pass(ctx)
}

// attempt sends the request once and reads the whole answer, so that a connection that breaks in it is
// retried too.
func (c *Client) attempt(request *http.Request, next option.MiddlewareNext) (*http.Response, error) {
	copied := request.Clone(request.Context())
	if request.GetBody != nil {
		body, err := request.GetBody()
		if err != nil {
			return nil, fmt.Errorf("rewind the request: %w", err)
		}
		copied.Body = body
	}
	c.calls.Add(1)
	c.traffic.Called(userdb.ServiceKV)
	response, err := next(copied)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswerBytes))
	response.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("read the answer: %w", err)
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	return response, nil
}

// envelope is around every answer of the API.
type envelope struct {
	Success bool `json:"success"`
	Errors  []struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
	} `json:"errors"`
}

// openEnvelope reads the body and puts it back for the SDK.
func openEnvelope(response *http.Response) (envelope, error) {
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return envelope{}, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	var e envelope
	return e, json.Unmarshal(body, &e)
}

// retryAfter obeys the header, in seconds or as a date, within reason.
func retryAfter(response *http.Response, failures int) time.Duration {
	header := response.Header.Get("Retry-After")
	if seconds, err := strconv.ParseFloat(header, 64); err == nil && seconds >= 0 {
		return time.Duration(
			min(seconds, mostRetryAfter.Seconds()) * float64(time.Second),
		) // the number may be beyond any duration
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(max(time.Until(at), 0), mostRetryAfter)
	}
	return afterThrottle.After(failures)
}
