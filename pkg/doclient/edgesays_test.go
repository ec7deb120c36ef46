package doclient

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// edge answers as Cloudflare's edge does in place of the Worker.
func edge(status int, media, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", media)
		w.Header().Set("Server", "cloudflare")
		w.Header().Set("Cf-Ray", "9a1b2c3d4e5f-FRA")
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func TestTheEdgeIsNamed(t *testing.T) {
	const html, plain = "text/html; charset=UTF-8", "text/plain; charset=UTF-8"
	for _, c := range []struct {
		name    string
		handler http.HandlerFunc
		kind    userdb.Kind
		tries   int
		says    []string
	}{
		{"bot challenge", edge(403, html, "<title>Just a moment...</title>", "cf-mitigated", "challenge"), userdb.EdgeBlocked, 1, []string{"bot challenge", "/_dbmigrate/", "9a1b2c3d4e5f-FRA"}},
		{"firewall", edge(403, html, "<title>Attention Required! | Cloudflare</title><h1>Sorry, you have been blocked</h1>"), userdb.EdgeBlocked, 1, []string{"WAF", "skip"}},
		{"firewall in words", edge(403, plain, "error code: 1020"), userdb.EdgeBlocked, 1, []string{"1020", "WAF"}},
		{"a banned client", edge(403, plain, "error code: 1010"), userdb.EdgeBlocked, 1, []string{"1010", "client"}},
		{"a rate limit of the zone", edge(429, plain, "error code: 1015"), userdb.Throttled, 3, []string{"1015", "rate limit"}},
		{"the free plan", edge(429, plain, "error code: 1027"), userdb.Throttled, 1, []string{"1027", "free plan"}},
		{"an exception", edge(500, plain, "error code: 1101"), userdb.Unreachable, 3, []string{"1101", "exception"}},
		{"CPU", edge(503, plain, "error code: 1102"), userdb.Unreachable, 1, []string{"1102", "limits.cpu_ms"}},
		{"CPU as a page", edge(503, html, `<h1>Error <span class="code">1102</span></h1>`), userdb.Unreachable, 1, []string{"1102", "limits.cpu_ms"}},
		{"a code that we do not know", edge(530, plain, "error code: 1033"), userdb.Unreachable, 3, []string{"1033"}},
		{"a custom page over the Worker's 409", edge(409, html, "<h1>Oops</h1>"), userdb.EdgeBlocked, 1, []string{"custom error page"}},
		{"a custom page over the Worker's 503", edge(503, html, "<h1>Oops</h1>"), userdb.Unreachable, 3, []string{"custom error page"}},
		{"Access, by its address", edge(302, html, "", "Location", "https://team.cloudflareaccess.com/cdn-cgi/access/login/w?meta=hidden"), userdb.Unauthorized, 1, []string{"Cloudflare Access", "team.cloudflareaccess.com"}},
		{"Access, strict", edge(401, html, "", "Www-Authenticate", `Cloudflare-Access resource_metadata="x"`), userdb.Unauthorized, 1, []string{"Cloudflare Access"}},
		{"Access, its page", edge(200, html, `<form action="https://team.cloudflareaccess.com/x">`), userdb.Unauthorized, 1, []string{"Cloudflare Access"}},
		{"a ray that is none", edge(403, html, "", "Cf-Ray", "<b>"), userdb.EdgeBlocked, 1, []string{"HTTP 403"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorker(t, c.handler)
			client, _ := w.client(
				t,
				func(cfg *Config) { cfg.Retry = RetryPolicy{Attempts: 3, Base: time.Second, Max: time.Minute} },
			)
			_, err := client.Status(context.Background(), "ann")
			wantKind(t, err, c.kind)
			tries := c.tries
			if c.kind == userdb.Unauthorized {
				tries++ // whether everybody meets the login
			}
			if n := len(w.seen()); n != tries {
				t.Errorf("%d requests, want %d", n, tries)
			}
			for _, text := range c.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("the error does not name %q: %v", text, err)
				}
			}
			if strings.Contains(err.Error(), "hidden") || strings.Contains(err.Error(), "<b>") {
				t.Errorf("the error shows what it must not: %v", err)
			}
		})
	}
}

// A login before one user's address is that user's failure; before everybody's, the operator's.
func TestALoginBeforeOneUser(t *testing.T) {
	login := edge(
		302,
		"text/html",
		"",
		"Location",
		"https://team.cloudflareaccess.com/cdn-cgi/access/login/w",
	)
	hello := answerJSON(
		200,
		`{"protocol":1,"worker":"1.0.0","limits":{"batchBytes":1,"frameBytes":1,"cellBytes":1,"columns":1}}`,
	)
	for name, c := range map[string]struct {
		hello http.HandlerFunc
		kind  userdb.Kind
	}{"one user": {hello, userdb.EdgeBlocked}, "everybody": {login, userdb.Unauthorized}} {
		w := newWorker(t, func(rw http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/hello") {
				c.hello(rw, r)
				return
			}
			login(rw, r)
		})
		client, _ := w.client(t)
		_, err := client.Status(context.Background(), "ann")
		if userdb.KindOf(err) != c.kind || !strings.Contains(err.Error(), "Cloudflare Access") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What the platform says of an object comes through the Worker as "internal". It ends at once where it would
// come again, and slows everybody where the account is meant.
func TestTroubleOfObjects(t *testing.T) {
	for _, c := range []struct {
		name, says string
		kind       userdb.Kind
		tries      int
		hint       string
		throttled  bool
	}{
		{"CPU", "ask the Durable Object: Durable Object exceeded its CPU time limit and was reset.", userdb.Internal, 1, "limits.cpu_ms", false},
		{"memory", "ask the Durable Object: Durable Object's isolate exceeded its memory limit and was reset.", userdb.Internal, 1, "memory", false},
		{"class without SQLite", "ask the Durable Object: SQL is not enabled for this Durable Object class.", userdb.Internal, 1, "new_sqlite_classes", false},
		{"another class", `The RPC receiver does not implement the method "fetch".`, userdb.Internal, 1, "UserDataStore", false},
		{"the account's load", "Your account is generating too much load on Durable Objects. Please back off and try again later.", userdb.Throttled, 3, "fewer users", true},
		{"the way to it", "ask the Durable Object: Network connection lost.", userdb.Unreachable, 3, "wrangler tail", false},
		{"anything else", "TypeError: x is undefined", userdb.Internal, 3, "wrangler tail", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorker(t, answerJSON(500, `{"error":{"kind":"internal","message":`+quoted(c.says)+`}}`))
			slowed := &slowdowns{}
			client, _ := w.client(t, func(cfg *Config) {
				cfg.Retry, cfg.Traffic = RetryPolicy{Attempts: 3, Base: time.Second, Max: time.Minute}, slowed
			})
			_, err := client.Status(context.Background(), "ann")
			wantKind(t, err, c.kind)
			if n := len(w.seen()); n != c.tries {
				t.Errorf("%d requests, want %d", n, c.tries)
			}
			if !strings.Contains(err.Error(), c.hint) || (slowed.times > 0) != c.throttled {
				t.Errorf("%v, slowed down %d times", err, slowed.times)
			}
		})
	}
}

type slowdowns struct {
	userdb.NoTraffic
	times int
}

func (s *slowdowns) Throttled(userdb.Service, time.Time) { s.times++ }

func quoted(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }

// Firewalls read what calls itself JSON and block what looks like SQL.
func TestTheSchemaTravelsAsBytes(t *testing.T) {
	w := newWorker(t, answerJSON(200, goodStatus))
	client, _ := w.client(t)
	if _, err := client.Schema(context.Background(), "ann", 5, wire.Schema{}); err != nil {
		t.Fatal(err)
	}
	if got := w.seen()[0].header.Get("Content-Type"); got != mediaBinary {
		t.Errorf("it travels as %s", got)
	}
}
