// Package httptrace watches the HTTP exchanges of a command: what it waits for, and, to find a fault, each of
// them. It shows no header, no body and no value of a query, where credentials and users' data are.
package httptrace

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Tap watches all clients of a command. Its methods may be called from any goroutine.
type Tap struct {
	// Debug is told of each exchange; nil: nobody is.
	Debug func(format string, args ...any)

	mu     sync.Mutex
	next   int
	open   map[int]call
	failed map[userdb.Service]failure
}

type call struct {
	who   userdb.Service
	since time.Time
}

// failure is how often a service has failed since its last answer, and how the last time.
type failure struct {
	tries int
	last  string
}

// Around watches the exchanges of one service.
func (t *Tap) Around(who userdb.Service, next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = http.DefaultTransport
	}
	return &watched{t, who, next}
}

type watched struct {
	tap  *Tap
	who  userdb.Service
	next http.RoundTripper
}

func (w *watched) RoundTrip(r *http.Request) (*http.Response, error) {
	began := time.Now()
	id := w.tap.begin(w.who, began)
	response, err := w.next.RoundTrip(r)
	end := ""
	switch {
	case err != nil:
		end = cause(err)
	case response.StatusCode >= http.StatusInternalServerError, response.StatusCode == http.StatusTooManyRequests:
		end = response.Status
	}
	w.tap.end(id, w.who, end)
	if w.tap.Debug != nil {
		if err == nil {
			end = response.Status
		}
		w.tap.Debug("debug: %s: %s %s: %s in %s", w.who, r.Method, redacted(r.URL), end, units.FormatDuration(time.Since(began)))
	}
	return response, err
}

// cause is the end of an error's text, which says why; its beginning repeats the address.
func cause(err error) string {
	inner := err
	for {
		next, ok := inner.(interface{ Unwrap() error })
		if !ok || next.Unwrap() == nil {
			return inner.Error()
		}
		inner = next.Unwrap()
	}
}

// redacted is an address without what may be a secret: the values of its query, and a user.
func redacted(u *url.URL) string {
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	text := shown.String()
	if names := slices.Sorted(maps.Keys(u.Query())); len(names) > 0 {
		text += "?" + strings.Join(names, "&")
	}
	return text
}

func (t *Tap) begin(who userdb.Service, now time.Time) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.open == nil {
		t.open, t.failed = map[int]call{}, map[userdb.Service]failure{}
	}
	t.next++
	t.open[t.next] = call{who, now}
	return t.next
}

func (t *Tap) end(id int, who userdb.Service, failed string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.open, id)
	if failed == "" {
		delete(t.failed, who)
		return
	}
	t.failed[who] = failure{t.failed[who].tries + 1, failed}
}

// Slow is from when on an exchange is waited for.
const Slow = time.Second

// Waiting says which services do not answer, and since when; "" when all do. slow is from when on an
// exchange is waited for.
func (t *Tap) Waiting(now time.Time, slow time.Duration) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	since := map[userdb.Service]time.Duration{}
	for _, c := range t.open {
		if took := now.Sub(c.since); took >= slow {
			since[c.who] = max(since[c.who], took)
		}
	}
	var parts []string
	for _, who := range []userdb.Service{userdb.ServiceWorker, userdb.ServiceR2, userdb.ServiceKV} {
		f, isOpen := t.failed[who], since[who] > 0
		switch {
		case f.tries > 0:
			parts = append(parts, fmt.Sprintf("%s (%s failed, the last: %s)", named(who), tries(f.tries), f.last))
		case isOpen:
			parts = append(parts, fmt.Sprintf("%s (no answer for %s)", named(who), units.FormatDuration(since[who].Round(time.Second))))
		}
	}
	return strings.Join(parts, ", ")
}

func tries(n int) string {
	if n == 1 {
		return "1 try"
	}
	return fmt.Sprintf("%d tries", n)
}

func named(who userdb.Service) string {
	if who == userdb.ServiceR2 {
		return string(who)
	}
	return "the " + string(who)
}
