package kv

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

func TestAnswersAreRetriedOrNamed(t *testing.T) {
	login := step{status: 200, headers: []string{"Content-Type: text/html"}, body: "<html>Sign in</html>"}
	for _, test := range []struct {
		name     string
		steps    []step
		want     userdb.Kind
		words    string
		requests int
	}{
		{"at once", []step{written}, "", "", 1},
		{"no result", []step{ok("null")}, "", "", 1},
		{"429 passes", []step{refusal(429, 10429, "slow down"), written}, "", "", 2},
		{"429 stays", []step{refusal(429, 10429, "slow down")}, userdb.Throttled, "1,200 API calls in 5 minutes", 3},
		{"500 passes", []step{{status: 500, body: "oops"}, written}, "", "", 2},
		{"502 stays", []step{{status: 502, body: "<html>"}}, userdb.Unreachable, "502", 3},
		{"broken connection passes", []step{{err: errors.New("reset by peer")}, written}, "", "", 2},
		{"broken connection stays", []step{{err: errors.New("reset by peer")}}, userdb.Unreachable, "reset by peer", 3},
		{"wrong token", []step{refusal(403, 10000, "Authentication error")}, userdb.Unauthorized, "Workers KV Storage Write", 1},
		{"malformed token", []step{refusal(400, 6003, "Invalid request headers")}, userdb.Unauthorized, "API token", 1},
		{"no namespace", []step{refusal(404, 10013, "namespace not found")}, userdb.NotFound, "namespace id", 1},
		{"malformed id", []step{refusal(400, 7003, "Could not route")}, userdb.NotFound, "CLOUDFLARE_ACCOUNT_ID", 1},
		{"refused batch", []step{refusal(400, 10001, "invalid metadata")}, userdb.ProtocolError, "invalid metadata (code 10001)", 1},
		{"200 without success", []step{{status: 200, body: `{"success":false,"errors":[{"code":1,"message":"no"}],"result":null}`}}, userdb.ProtocolError, "no (code 1)", 1},
		{"login page", []step{login}, userdb.ProtocolError, "no JSON", 1},
		{"redirect", []step{{status: 302, headers: []string{"Location: https://elsewhere.example/login"}}, written}, userdb.ProtocolError, "302", 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &fake{steps: test.steps}
				c := api.client(t)
				err := c.Put(t.Context(), []Flag{{User: "ann"}})
				checkError(t, err, test.want, test.words)
				if len(api.requests) != test.requests || c.Calls() != int64(test.requests) {
					t.Errorf("%d requests, %d counted", len(api.requests), c.Calls())
				}
				var unwritten *UnwrittenError
				if err != nil &&
					(!errors.As(err, &unwritten) || !slices.Equal(unwritten.Users, []userdb.UserID{"ann"})) {
					t.Errorf("the error does not name ann as unwritten: %#v", err)
				}
				for _, request := range api.requests {
					if request.method != "PUT" ||
						request.path != "/client/v4/accounts/acc/storage/kv/namespaces/ns/bulk" ||
						request.authorization != "Bearer "+fakeToken ||
						!slices.Equal(request.keys, []string{"migrated:ann"}) {
						t.Errorf("request %+v", request)
					}
				}
			})
		})
	}
}

func TestRetryAfterIsObeyedByAllCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &fake{steps: []step{refusal(429, 10429, "slow down", "Retry-After: 120"), written}}
		c := api.client(t)
		start := time.Now()
		blocked := make(chan error)
		go func() { blocked <- c.Put(t.Context(), []Flag{{User: "ann"}}) }()
		synctest.Wait()
		if len(api.requests) != 1 {
			t.Fatalf("%d requests before the pause", len(api.requests))
		}
		if err := c.Delete(t.Context(), []userdb.UserID{"bob"}); err != nil {
			t.Fatal(err)
		}
		if err := <-blocked; err != nil {
			t.Fatal(err)
		}
		for _, request := range api.requests[1:] {
			if waited := request.at.Sub(start); waited != 2*time.Minute {
				t.Errorf("%s after %v", request.path, waited)
			}
		}
		if len(api.requests) != 3 {
			t.Errorf("%d requests", len(api.requests))
		}
	})
}

func TestRetryAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for header, want := range map[string]time.Duration{
			"7": 7 * time.Second, "0": 0, "0.5": 500 * time.Millisecond, "86400": mostRetryAfter,
			time.Now().Add(90 * time.Second).UTC().Format(http.TimeFormat): 90 * time.Second, "Mon, 02 Jan 1995 15:04:05 GMT": 0,
			"": 20 * time.Second, "soon": 20 * time.Second, "-3": 20 * time.Second,
		} {
			response := &http.Response{Header: http.Header{"Retry-After": {header}}}
			if got := retryAfter(response, 2); got != want {
				t.Errorf("Retry-After %q: %v", header, got)
			}
		}
	})
}

// TestEightAttemptsOutlastTheBlock: the API blocks for 5 minutes, and need not say so in a header.
func TestEightAttemptsOutlastTheBlock(t *testing.T) {
	var total time.Duration
	for failures := 1; failures < defaultTries; failures++ {
		total += retryAfter(&http.Response{}, failures)
	}
	if total <= 5*time.Minute {
		t.Errorf("%d attempts span %v", defaultTries, total)
	}
}

func TestUnsuccessfulKeysAreSentAgain(t *testing.T) {
	unsuccessful := func(keys ...string) step {
		return ok(
			fmt.Sprintf(`{"successful_key_count":1,"unsuccessful_keys":["%s"]}`, strings.Join(keys, `","`)),
		)
	}
	calls := map[string]func(*Client, context.Context) error{
		"put": func(c *Client, ctx context.Context) error {
			return c.Put(ctx, []Flag{{User: "ann"}, {User: "bob"}, {User: "cy"}})
		},
		"delete": func(c *Client, ctx context.Context) error {
			return c.Delete(ctx, []userdb.UserID{"ann", "bob", "cy", "ann"})
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &fake{
					steps: []step{
						unsuccessful("migrated:bob", "migrated:cy"),
						unsuccessful("migrated:cy"),
						written,
					},
				}
				if err := call(api.client(t), t.Context()); err != nil {
					t.Fatal(err)
				}
				var sent []string
				for _, request := range api.requests {
					sent = append(sent, strings.Join(request.keys, " "))
				}
				if got := strings.Join(sent, ", then "); got != "migrated:ann migrated:bob migrated:cy, then migrated:bob migrated:cy, then migrated:cy" {
					t.Errorf("sent %s", got)
				}
				if !api.requests[1].at.After(api.requests[0].at) {
					t.Error("sent again without a pause")
				}
			})
			synctest.Test(t, func(t *testing.T) {
				api := &fake{steps: []step{unsuccessful("migrated:bob", "migrated:cy")}}
				err := call(api.client(t), t.Context())
				checkError(t, err, userdb.Unreachable, "bob, cy", "unsuccessful after 3 attempts")
				var unwritten *UnwrittenError
				if !errors.As(err, &unwritten) ||
					!slices.Equal(unwritten.Users, []userdb.UserID{"bob", "cy"}) {
					t.Errorf("unwritten: %v", unwritten)
				}
			})
		})
	}
}

func TestTenThousandFlagsAreOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &fake{steps: []step{written, refusal(403, 10000, "no")}}
		c := api.client(t)
		var flags []Flag
		for i := range maxBulkWrite + 2 {
			flags = append(flags, Flag{User: userdb.UserID(fmt.Sprintf("u%05d", i))})
		}
		if err := c.Put(t.Context(), flags[:maxBulkWrite]); err != nil || c.Calls() != 1 {
			t.Fatalf("%v after %d calls", err, c.Calls())
		}
		api.requests, api.steps = nil, []step{refusal(403, 10000, "no")}
		var none *UnwrittenError
		if err := c.Put(t.Context(), flags); !errors.As(err, &none) || len(none.Users) != len(flags) {
			t.Errorf("unwritten when nothing was: %v", err)
		}
		api.requests, api.steps = nil, []step{written, refusal(403, 10000, "no")}
		err := c.Put(t.Context(), flags)
		var unwritten *UnwrittenError
		if !errors.As(err, &unwritten) ||
			!slices.Equal(unwritten.Users, []userdb.UserID{"u10000", "u10001"}) {
			t.Errorf("unwritten after the first batch: %v", err)
		}
	})
}

func TestAllPagesAreRead(t *testing.T) {
	page := func(keys, cursor string) step {
		return step{
			status: 200,
			body: fmt.Sprintf(
				`{"success":true,"errors":[],"messages":[],"result":[%s],"result_info":{"count":1,"cursor":%q}}`,
				keys,
				cursor,
			),
		}
	}
	synctest.Test(t, func(t *testing.T) {
		api := &fake{steps: []step{
			page(`{"name":"migrated:ann","metadata":{"v":1,"s":"active","bytes":9007199254740993}}`, "one"),
			page(``, "two"), // KV may send a page without keys before the last one
			page(
				`{"name":"migrated:bob"},{"name":"migrated:a/b"},{"name":"migrated:cy","metadata":"a text"}`,
				"",
			),
		}}
		found := listUsers(t, api.client(t), "")
		if len(found) != 3 || found["ann"].Bytes != 1<<53+1 || found["bob"] != (FlagMeta{}) ||
			found["cy"] != (FlagMeta{}) {
			t.Errorf("found %+v", found)
		}
		if len(api.requests) != 3 {
			t.Fatalf("%d requests", len(api.requests))
		}
		if path := api.requests[2].path; !strings.Contains(path, "cursor=two") ||
			!strings.Contains(path, "limit=1000") ||
			!strings.Contains(path, "prefix=migrated%3A") {
			t.Errorf("third request %s", path)
		}
	})
}

func TestGetReadsTheAPIsForm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		api := &fake{
			steps: []step{
				ok(
					`{"values":{"migrated:ann":{"value":"true","metadata":{"v":1,"lin":7}},"migrated:bob":{"value":"yes","metadata":null},"migrated:cy":null,"migrated:di":{"value":null,"metadata":null}}}`,
				),
			},
		}
		got, err := api.client(t).Get(t.Context(), []userdb.UserID{"ann", "bob", "cy", "di"})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 2 || got["ann"].Meta.Lineage != 7 || got["bob"].Value != "yes" {
			t.Errorf("got %+v", got)
		}
		api.steps = []step{ok(`{"values":{"migrated:ann":7}}`)}
		_, err = api.client(t).Get(t.Context(), []userdb.UserID{"ann"})
		checkError(t, err, userdb.ProtocolError, "migrated:ann")
	})
}

// TestLocalGet: the local runtime answers a bulk get with bare values, and a listing by prefix may begin with
// another key.
func TestLocalGet(t *testing.T) {
	api := &fake{
		steps: []step{
			ok(`{"values":{"migrated:ann":"true"}}`),
			ok(`[{"name":"migrated:anna","metadata":{"v":1}}]`),
		},
	}
	c, err := New(
		Config{
			NamespaceID: "ns",
			BaseURL:     "http://localhost:8787/cdn-cgi/local/explorer/api",
			HTTP:        &http.Client{Transport: api},
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Get(t.Context(), []userdb.UserID{"ann"})
	if want := (Flag{User: "ann", Value: "true"}); err != nil || got["ann"] != want {
		t.Errorf("got %+v, %v", got, err)
	}
	if path := api.requests[0].path; path != "/cdn-cgi/local/explorer/api/storage/kv/namespaces/ns/bulk/get" {
		t.Errorf("request %s", path)
	}
}

func TestAnInterruptEndsEveryWait(t *testing.T) {
	for name, first := range map[string]step{
		"pause":  refusal(429, 10429, "slow down", "Retry-After: 300"),
		"outage": {status: 500},
		"again":  ok(`{"unsuccessful_keys":["migrated:ann"]}`),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &fake{steps: []step{first}}
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Millisecond, cancel)
				checkError(t, api.client(t).Put(ctx, []Flag{{User: "ann"}}), userdb.Interrupted)
				if len(api.requests) != 1 {
					t.Errorf("%d requests", len(api.requests))
				}
			})
		})
	}
}

func TestPutRefusesBeforeSending(t *testing.T) {
	api := &fake{steps: []step{written}}
	c := api.client(t)
	checkError(t, c.Put(t.Context(), []Flag{{User: "ann"}, {User: "a/b"}}), userdb.Usage)
	checkError(
		t,
		c.Put(t.Context(), []Flag{{User: "ann", Meta: FlagMeta{Run: strings.Repeat("x", maxMetaBytes)}}}),
		userdb.Usage,
		"1024",
	)
	if err := c.Put(t.Context(), nil); err != nil || len(api.requests) != 0 {
		t.Errorf("%v, %d requests", err, len(api.requests))
	}
}

func TestNewRefuses(t *testing.T) {
	good := Config{AccountID: "acc", NamespaceID: "ns", Token: fakeToken}
	for name, spoil := range map[string]func(*Config){
		"no account":         func(c *Config) { c.AccountID = "" },
		"path in account":    func(c *Config) { c.AccountID = "a/b" },
		"no namespace":       func(c *Config) { c.NamespaceID = "" },
		"path in namespace":  func(c *Config) { c.NamespaceID = "../x" },
		"no token":           func(c *Config) { c.Token = "" },
		"no URL":             func(c *Config) { c.BaseURL = "api.cloudflare.com" },
		"credentials in URL": func(c *Config) { c.BaseURL = "https://x:" + fakeToken + "@api.cloudflare.com" },
		"negative attempts":  func(c *Config) { c.MaxAttempts = -1 },
	} {
		t.Run(name, func(t *testing.T) {
			config := good
			spoil(&config)
			_, err := New(config)
			checkError(t, err, userdb.Usage)
		})
	}
}

// TestSplitFlagsHaveKeysOfTheirOwn: both kinds of flags share a namespace, and neither may touch the other's
// keys.
func TestSplitFlagsHaveKeysOfTheirOwn(t *testing.T) {
	api := &fake{steps: []step{written, written, ok(`[{"name":"split:alice"},{"name":"migrated:bob"}]`)}}
	c := api.client(t).Split()
	if err := errors.Join(c.Put(t.Context(), []Flag{{User: "alice"}}), c.Delete(t.Context(), []userdb.UserID{"bob"})); err != nil {
		t.Fatal(err)
	}
	if keys := [][]string{api.requests[0].keys, api.requests[1].keys}; fmt.Sprint(
		keys,
	) != "[[split:alice] [split:bob]]" {
		t.Errorf("keys %v", keys)
	}
	err := c.List(t.Context(), "al", func(flags []Flag) error {
		if len(flags) != 1 || flags[0].User != "alice" {
			t.Errorf("listed %v", flags)
		}
		return nil
	})
	if err != nil || !strings.Contains(api.requests[2].path, "prefix=split%3Aal") {
		t.Errorf("%v, %s", err, api.requests[2].path)
	}
}

// TestPatienceEndsWithWhatTheAPISaid: a caller who waits no longer learns why it would have had to, and which
// users' flags are left.
func TestPatienceEndsWithWhatTheAPISaid(t *testing.T) {
	for name, c := range map[string]struct {
		first step
		want  userdb.Kind
		says  string
	}{
		"pause":     {refusal(429, 10429, "slow down", "Retry-After: 300"), userdb.Throttled, "slow down"},
		"outage":    {step{status: 503}, userdb.Unreachable, "503"},
		"refused":   {refusal(403, 10000, "Authentication error"), userdb.Unauthorized, "Authentication error"},
		"transport": {step{err: errors.New("connection refused")}, userdb.Unreachable, "connection refused"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				api := &fake{steps: []step{c.first}}
				ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
				defer cancel()
				err := api.client(t).Delete(ctx, []userdb.UserID{"ann"})
				checkError(t, err, c.want, c.says)
				left := new(UnwrittenError)
				if !errors.As(err, &left) || len(left.Users) != 1 {
					t.Errorf("left are %v", left.Users)
				}
				for _, call := range []func(*Client, context.Context) error{
					func(c *Client, ctx context.Context) error {
						return c.List(ctx, "", func([]Flag) error { return nil })
					},
					func(c *Client, ctx context.Context) error { _, err := c.ProbeRead(ctx); return err },
					func(c *Client, ctx context.Context) error { _, err := c.Jurisdiction(ctx); return err },
					func(c *Client, ctx context.Context) error { return c.ProbeWrite(ctx, "x") },
				} {
					ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
					checkError(t, call(api.client(t), ctx), c.want, c.says)
					cancel()
				}
			})
		})
	}
}
