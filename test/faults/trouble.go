// Package faults runs the real dbmigrate binary while R2, KV or the Worker answer wrongly, late or not at
// all, while two operators run at once, and while somebody presses Ctrl-C. A command finishes, or it stops
// with every user served, nothing lost and a clear account. Its tests walk through a list of troubles; Run
// draws them by chance for as long as one likes.
package faults

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
)

// The services that can be in trouble, as requests to them are named.
const (
	bucket = "R2"
	flags  = "KV"
	worker = "admin"
)

// forever is more requests than any command sends.
const forever = 1 << 30

// trouble is what happens to some requests of a command.
type trouble struct {
	name  string
	where string // the beginning of the requests' names
	from  int    // so many of each name pass first
	times int    // so many of each name are hit then
	fault faultproxy.Fault
	// stops are the kinds of error with which the command may stop; none: it has to finish.
	stops []string
}

// rule counts the requests of each name apart. It adds each one that it hits to hits.
func (tr trouble) rule(hits *atomic.Int64) faultproxy.Rule {
	var mu sync.Mutex
	seen := map[string]int{}
	rule := func(r faultproxy.Request) faultproxy.Fault {
		if !strings.HasPrefix(r.Name(), tr.where) {
			return faultproxy.Fault{}
		}
		mu.Lock()
		defer mu.Unlock()
		n := seen[r.Name()]
		seen[r.Name()]++
		if n < tr.from || n-tr.from >= tr.times {
			return faultproxy.Fault{}
		}
		hits.Add(1)
		return tr.fault
	}
	if slices.Contains([]string{bucket, flags, worker, "admin import", "admin switch", "admin export"}, tr.where) {
		return rule
	}
	return faultproxy.SingleRequests(rule)
}

func answers(status int, headers ...string) faultproxy.Fault {
	f := faultproxy.Fault{
		Swallow: true,
		Status:  status,
		Header:  http.Header{"Content-Type": {"text/plain"}},
		Body:    "trouble",
	}
	for i := 0; i+1 < len(headers); i += 2 {
		f.Header.Set(headers[i], headers[i+1])
	}
	return f
}

func withBody(f faultproxy.Fault, mediaType, body string) faultproxy.Fault {
	f.Body = body
	f.Header.Set("Content-Type", mediaType)
	return f
}

var (
	loginPage   = withBody(answers(200), "text/html", "<!doctype html><title>Sign in</title><form></form>")
	redirect    = answers(302, "Location", "https://login.example.com/")
	waitASecond = func(status int) faultproxy.Fault { return answers(status, "Retry-After", "1") }
)

// expired is how each service refuses a credential that was good a moment ago.
var expired = map[string]faultproxy.Fault{
	bucket: withBody(
		answers(403),
		"application/xml",
		`<?xml version="1.0"?><Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>`,
	),
	flags: withBody(
		answers(401),
		"application/json",
		`{"success":false,"errors":[{"code":10000,"message":"Authentication error"}],"messages":[],"result":null}`,
	),
	worker: withBody(
		answers(401),
		"application/json",
		`{"error":{"kind":"unauthorized","message":"the token is not the Worker's DBMIGRATE_TOKEN"}}`,
	),
}

// unsuccessful is KV's answer to a bulk call that names the user's key, whatever became of it.
func unsuccessful(users ...string) faultproxy.Fault {
	var keys []string
	for _, u := range users {
		keys = append(keys, "migrated:"+u)
	}
	body, err := json.Marshal(map[string]any{"success": true, "errors": []any{}, "messages": []any{},
		"result": map[string]any{"successful_key_count": 1, "unsuccessful_keys": keys}})
	if err != nil {
		panic(err) // strings
	}
	return faultproxy.Fault{
		Status: http.StatusOK,
		Header: http.Header{"Content-Type": {"application/json"}},
		Body:   string(body),
	}
}

// kinds are the troubles that any service can be in, by name.
var kinds = []struct {
	name  string
	fault func(service string) faultproxy.Fault
}{
	{"429 with Retry-After", always(waitASecond(429))},
	{"429 without Retry-After", always(answers(429))},
	{"500", always(answers(500))},
	{"503", always(answers(503))},
	{"reset before it arrives", always(faultproxy.Fault{Swallow: true})},
	{"reset after it arrived", always(faultproxy.Fault{Cut: true})},
	{"half an answer", always(faultproxy.Fault{CutHalf: true})},
	{"truncated answer", always(faultproxy.Fault{Truncate: true})},
	{"slow answer", always(faultproxy.Fault{Drip: 300 * time.Millisecond})},
	{"arrives, but answers 500", always(faultproxy.Fault{Status: 500, Body: "oh"})},
	{"arrives twice", always(faultproxy.Fault{Repeat: true})},
	{"login page with 200", always(loginPage)},
	{"redirect", always(redirect)},
	{"expired token", func(service string) faultproxy.Fault { return expired[service] }},
}

func always(f faultproxy.Fault) func(string) faultproxy.Fault {
	return func(string) faultproxy.Fault { return f }
}
