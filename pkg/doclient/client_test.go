package doclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

const testToken = "s3cr3t-admin-token"

// worker is a stand-in that answers the n-th request with the n-th handler, and with the last one from then
// on.
type worker struct {
	*httptest.Server
	mu       sync.Mutex
	handlers []http.HandlerFunc
	requests []recorded
}

type recorded struct {
	method, path, query string
	header              http.Header
	body                string
}

func newWorker(t *testing.T, handlers ...http.HandlerFunc) *worker {
	w := &worker{handlers: handlers}
	w.Server = httptest.NewServer(http.HandlerFunc(w.serve))
	t.Cleanup(w.Close)
	return w
}

func (w *worker) serve(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.mu.Lock()
	n := min(len(w.requests), len(w.handlers)-1)
	w.requests = append(
		w.requests,
		recorded{r.Method, r.URL.EscapedPath(), r.URL.RawQuery, r.Header.Clone(), string(body)},
	)
	w.mu.Unlock()
	w.handlers[n](rw, r)
}

func (w *worker) seen() []recorded {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]recorded(nil), w.requests...)
}

// client returns a client of w that does not sleep but writes down how long it would have.
func (w *worker) client(t *testing.T, change ...func(*Config)) (*Client, *[]time.Duration) {
	t.Helper()
	cfg := Config{
		BaseURL:            w.URL,
		Token:              testToken,
		AccessClientID:     "id.access",
		AccessClientSecret: "cfast_x",
		LocationHint:       "weur",
	}
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	waits := &[]time.Duration{}
	c.sleep = func(ctx context.Context, d time.Duration) error {
		*waits = append(*waits, d)
		return ctx.Err()
	}
	return c, waits
}

func answerJSON(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func answerHTML(status int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, "<html>Sign in</html>")
	}
}

func answerError(status int, kind, details string) http.HandlerFunc {
	return answerJSON(
		status,
		fmt.Sprintf(`{"error":{"kind":%q,"message":"because","details":%s}}`, kind, details),
	)
}

// dropConnection breaks the connection without an answer.
func dropConnection(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }

// halfAnswer announces more bytes than it sends.
func halfAnswer(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "1000")
	io.WriteString(w, goodStatus[:20])
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

const goodStatus = `{"phase":"ACTIVE","gen":5,"lin":3,"intent":null,"writes":7,"writesAtActivation":2,"databaseBytes":4096,"batches":{"applied":[[0,4],[6,6]]},"receipt":null}`

func wantKind(t *testing.T, err error, want userdb.Kind) {
	t.Helper()
	if userdb.KindOf(err) != want {
		t.Errorf("error is %q (%v), want %q", userdb.KindOf(err), err, want)
	}
	if err != nil && (strings.Contains(err.Error(), testToken) || strings.Contains(err.Error(), "cfast_")) {
		t.Errorf("the error shows a secret: %v", err)
	}
}

func TestFaultsOfOneAnswer(t *testing.T) {
	cases := []struct {
		name    string
		handler http.HandlerFunc
		kind    userdb.Kind
		tries   int
		text    string // expected in the error
	}{
		{"page with 200", answerHTML(200), userdb.EdgeBlocked, 1, "Cloudflare Access"},
		{
			"redirect",
			answerHTML(302, "Location", "https://team.example/login?secret=1"),
			userdb.EdgeBlocked,
			1,
			"redirects to team.example",
		},
		{
			"permanent redirect",
			answerHTML(308, "Location", "/elsewhere"),
			userdb.EdgeBlocked,
			1,
			"never followed",
		},
		{"403 page", answerHTML(403), userdb.EdgeBlocked, 1, "Cloudflare Access"},
		{"404 page", answerHTML(404), userdb.ProtocolError, 1, "Worker's URL"},
		{
			"success without a media type",
			func(w http.ResponseWriter, _ *http.Request) { w.Header()["Content-Type"] = nil },
			userdb.EdgeBlocked,
			1,
			"no media type",
		},
		{"other JSON", answerJSON(200, `{"phase":"ODD"}`), userdb.ProtocolError, 1, "ODD"},
		{"broken JSON", answerJSON(200, `{"phase":`), userdb.ProtocolError, 1, "not the JSON"},
		{"502 page", answerHTML(502), userdb.Unreachable, 4, "after 4 attempts"},
		{"521 page", answerHTML(521), userdb.Unreachable, 4, "521"},
		{"501 page", answerHTML(501), userdb.Unreachable, 1, "501"},
		{"429 page", answerHTML(429), userdb.Throttled, 4, "429"},
		{"429 of another API", answerJSON(429, `{"success":false}`), userdb.Throttled, 4, "429"},
		{"dropped connection", dropConnection, userdb.Unreachable, 4, "EOF"},
		{"half an answer", halfAnswer, userdb.Unreachable, 4, "EOF"},
		{
			"unauthorized",
			answerError(401, wire.KindUnauthorized, "{}"),
			userdb.Unauthorized,
			1,
			"DBMIGRATE_TOKEN",
		},
		{"closed", answerError(503, wire.KindClosed, "{}"), userdb.Unauthorized, 1, "wrangler secret put"},
		{"overloaded", answerError(503, wire.KindOverloaded, "{}"), userdb.Throttled, 4, "overloaded"},
		{"application threw", answerError(500, wire.KindApplicationThrew, "{}"), userdb.Unreachable, 2, "ann's Durable Object threw"},
		{"cutover", answerError(503, wire.KindCutover, "{}"), userdb.Throttled, 4, "cutover"},
		{"internal", answerError(500, wire.KindInternal, "{}"), userdb.Internal, 4, "wrangler tail"},
		{
			"an object that the platform resets",
			answerJSON(500, `{"error":{"kind":"internal","message":"ask the Durable Object: Network connection lost."}}`),
			userdb.Unreachable,
			4,
			"wrangler tail",
		},
		{"a kind of a newer Worker", answerError(409, "new-kind", "{}"), userdb.Internal, 1, "new-kind"},
		{
			"a kind of a newer Worker with 429",
			answerError(429, "new-kind", "{}"),
			userdb.Throttled,
			4,
			"new-kind",
		},
		{
			"claim-conflict",
			answerError(409, wire.KindClaimConflict, `{"gen":6}`),
			userdb.Precondition,
			1,
			"status",
		},
		{
			"stale-claim",
			answerError(409, wire.KindStaleClaim, `{"gen":6}`),
			userdb.Superseded,
			1,
			"another command",
		},
		{"wrong-phase", answerError(409, wire.KindWrongPhase, `{"phase":"READY"}`), userdb.Conflict, 1, ""},
		{"digest-mismatch", answerError(422, wire.KindDigestMismatch, "{}"), userdb.Mismatch, 1, ""},
		{"schema-refused", answerError(422, wire.KindSchemaRefused, "{}"), userdb.Refused, 1, ""},
		{"rows-refused", answerError(422, wire.KindRowsRefused, "{}"), userdb.Refused, 1, ""},
		{"bad-batch", answerError(400, wire.KindBadBatch, "{}"), userdb.ProtocolError, 1, ""},
		{
			"another version",
			answerError(400, wire.KindProtocolVersion, "{}"),
			userdb.ProtocolError,
			1,
			"update",
		},
		{"file-changed", answerError(412, wire.KindFileChanged, "{}"), userdb.Precondition, 1, ""},
		{"no such table", answerError(404, wire.KindNotFound, "{}"), userdb.NotFound, 1, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorker(t, c.handler)
			client, waits := w.client(t, func(cfg *Config) {
				cfg.Retry = RetryPolicy{
					Attempts:      4,
					Base:          time.Second,
					Max:           time.Minute,
					MaxRetryAfter: time.Hour,
				}
			})
			_, err := client.Status(context.Background(), "ann")
			wantKind(t, err, c.kind)
			if n := len(w.seen()); n != c.tries || len(*waits) != c.tries-1 {
				t.Errorf("%d requests and %d waits, want %d requests", n, len(*waits), c.tries)
			}
			if !strings.Contains(err.Error(), c.text) || !strings.Contains(err.Error(), "ann") {
				t.Errorf("the error does not name %q and the user: %v", c.text, err)
			}
		})
	}
}

func TestRemoteErrorsKeepTheirDetails(t *testing.T) {
	w := newWorker(t, answerError(409, wire.KindClaimConflict, `{"gen":6}`))
	client, _ := w.client(t)
	_, err := client.Claim(
		context.Background(),
		"ann",
		wire.ClaimRequest{Intent: wire.IntentMigrate, Seen: 5},
	)
	var remote *wire.RemoteError
	if !errors.As(err, &remote) || remote.Kind != wire.KindClaimConflict || remote.Status != 409 {
		t.Fatalf("no RemoteError in %v", err)
	}
	if d, err := remote.DecodeDetails(); err != nil || d.Gen != 6 {
		t.Errorf("details are %+v, %v", d, err)
	}
}

func TestRecoversAfterFaults(t *testing.T) {
	w := newWorker(
		t,
		dropConnection,
		halfAnswer,
		answerHTML(502),
		answerError(503, wire.KindOverloaded, "{}"),
		answerJSON(200, goodStatus),
	)
	var attempts []Attempt
	client, waits := w.client(
		t,
		func(cfg *Config) { cfg.Observe = func(a Attempt) { attempts = append(attempts, a) } },
	)
	got, err := client.Status(context.Background(), "ann")
	if err != nil {
		t.Fatal(err)
	}
	if got.Phase != userdb.Active || got.Gen != 5 || got.Lin != 3 || got.Writes != 7 ||
		len(got.Batches.Ranges) != 2 {
		t.Errorf("status is %+v", got)
	}
	ceiling := DefaultRetry.Base
	for i, wait := range *waits {
		if wait < 0 || wait > ceiling {
			t.Errorf("wait %d is %s, over %s", i, wait, ceiling)
		}
		ceiling *= 2
	}
	if len(attempts) != 5 || attempts[3].Kind != userdb.Throttled || !attempts[3].Again ||
		attempts[4].Kind != "" ||
		attempts[4].Status != 200 {
		t.Errorf("attempts are %+v", attempts)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	cases := []struct {
		name, header string
		deadline     time.Duration
		waits        int
		least        time.Duration
		kind         userdb.Kind
	}{
		{"seconds", "7", time.Hour, 1, 7 * time.Second, ""},
		{"a date", "Mon, 23 Nov 2026 12:00:09 GMT", time.Hour, 1, 9 * time.Second, ""},
		{"a past date", "Mon, 23 Nov 2026 11:00:00 GMT", time.Hour, 1, 0, ""},
		{"nonsense", "soon", time.Hour, 1, 0, ""},
		{"longer than the deadline", "120", time.Minute, 0, 0, userdb.Throttled},
		{"longer than the policy", "86400", 48 * time.Hour, 0, 0, userdb.Throttled},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorker(t, answerHTML(429, "Retry-After", c.header), answerJSON(200, goodStatus))
			client, waits := w.client(t, func(cfg *Config) { cfg.Now = func() time.Time { return now } })
			ctx, cancel := context.WithTimeout(context.Background(), c.deadline)
			defer cancel()
			_, err := client.Status(ctx, "ann")
			wantKind(t, err, c.kind)
			if len(*waits) != c.waits {
				t.Fatalf("waits are %v", *waits)
			}
			for _, wait := range *waits {
				if wait < c.least || wait > c.least+DefaultRetry.Base {
					t.Errorf("waited %s, want %s and a little", wait, c.least)
				}
			}
		})
	}
}

func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	release := make(chan struct{})
	w := newWorker(t, func(http.ResponseWriter, *http.Request) { cancel(); <-release })
	client, _ := w.client(t)
	_, err := client.Status(ctx, "ann")
	close(release)
	wantKind(t, err, userdb.Interrupted)
	if len(w.seen()) != 1 {
		t.Errorf("%d requests", len(w.seen()))
	}
}

func TestSlowAttemptIsRepeated(t *testing.T) {
	release := make(chan struct{})
	w := newWorker(t, func(http.ResponseWriter, *http.Request) { <-release }, answerJSON(200, goodStatus))
	defer close(release)
	client, _ := w.client(
		t,
		func(cfg *Config) { cfg.Timeouts = Timeouts{Message: 50 * time.Millisecond, Rows: time.Minute} },
	)
	if _, err := client.Status(context.Background(), "ann"); err != nil {
		t.Fatal(err)
	}
	if len(w.seen()) != 2 {
		t.Errorf("%d requests", len(w.seen()))
	}
}

// A service that takes connections and answers none costs each request its whole time.
func TestSilenceIsNotWaitedForEightTimes(t *testing.T) {
	release := make(chan struct{})
	silent := func(http.ResponseWriter, *http.Request) { <-release }
	refused := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	w := newWorker(t, silent, refused, silent, refused, silent, silent, answerJSON(200, goodStatus))
	defer close(release)
	client, _ := w.client(
		t,
		func(cfg *Config) { cfg.Timeouts = Timeouts{Message: 50 * time.Millisecond, Rows: time.Minute} },
	)
	_, err := client.Status(context.Background(), "ann")
	wantKind(t, err, userdb.Unreachable)
	if len(w.seen()) != 6 || !strings.Contains(err.Error(), "no answer within 50ms") {
		t.Errorf("%d requests: %v", len(w.seen()), err)
	}
}

func TestMessages(t *testing.T) {
	ctx := context.Background()
	digest := wire.DatabaseDigestOf(wire.SchemaDigest(wire.Schema{}), nil)
	digestJSON, _ := json.Marshal(digest)
	page := wire.AppendExportPage(
		nil,
		&wire.ExportPage{
			ExportHeader: wire.ExportHeader{
				Table:   "t",
				Columns: []string{"a"},
				Rows:    1,
				Last:    wire.Key{wire.IntValue(1)},
				Done:    true,
			},
			Cells: []byte("I1;"),
		},
	)
	claimed := strings.Replace(goodStatus, "{", `{"outcome":"active",`, 1)
	cases := []struct {
		name, answer string
		call         func(*Client) error
		method, path string
		body         string // contained in the request
	}{
		{
			"hello",
			`{"protocol":1,"worker":"0.1.0","now":1,"store":"sqlite","limits":{"batchBytes":1,"frameBytes":1,"cellBytes":1,"columns":1}}`,
			func(c *Client) error { _, err := c.Hello(ctx); return err },
			"GET",
			"/hello",
			"",
		},
		{
			"status",
			goodStatus,
			func(c *Client) error { _, err := c.Status(ctx, "ä b+c"); return err },
			"GET",
			"/users/%C3%A4%20b+c/status",
			"",
		},
		{"claim", claimed, func(c *Client) error {
			got, err := c.Claim(
				ctx,
				"u",
				wire.ClaimRequest{Intent: wire.IntentMigrate, Seen: 4, ID: "0123456789abcdef"},
			)
			if got.Outcome != wire.OutcomeActive || got.Gen != 5 {
				t.Errorf("claimed %+v", got)
			}
			return err
		}, "POST", "/users/u/claim", `{"intent":"migrate","seen":4`},
		{
			"reset",
			goodStatus,
			func(c *Client) error { _, err := c.Reset(ctx, "u", 5); return err },
			"POST",
			"/users/u/reset",
			`{"gen":5}`,
		},
		{
			"schema",
			goodStatus,
			func(c *Client) error { _, err := c.Schema(ctx, "u", 5, wire.Schema{}); return err },
			"POST",
			"/users/u/schema",
			`{"gen":5,"schema":{"header"`,
		},
		{
			"rows",
			`{"seq":3,"applied":true}`,
			func(c *Client) error { _, err := c.Rows(ctx, "u", 5, 3, []byte("DMR1")); return err },
			"POST",
			"/users/u/rows?gen=5&seq=3",
			"DMR1",
		},
		{
			"finish",
			`{"done":true,"remaining":0}`,
			func(c *Client) error { return c.Finish(ctx, "u", 5, 9) },
			"POST",
			"/users/u/finish",
			`{"gen":5,"batches":9}`,
		},
		{
			"digest",
			`{"phase":"READY","gen":5,"lin":5,"writes":0,"complete":true,"digest":` + string(
				digestJSON,
			) + `}`,
			func(c *Client) error { _, err := c.Digest(ctx, "u"); return err },
			"POST",
			"/users/u/digest",
			`{"budgetMs":5000}`,
		},
		{
			"fresh digest",
			`{"phase":"READY","gen":5,"lin":5,"writes":0,"complete":true,"digest":` + string(
				digestJSON,
			) + `}`,
			func(c *Client) error { _, err := c.FreshDigest(ctx, "u"); return err },
			"POST",
			"/users/u/digest",
			`{"budgetMs":5000,"fresh":true}`,
		},
		{
			"range",
			`{"rows":0,"digest":"","last":null,"writes":0,"phase":"ACTIVE"}`,
			func(c *Client) error { _, err := c.Range(ctx, "u", wire.RangeRequest{Table: "t"}); return err },
			"POST",
			"/users/u/range",
			`{"table":"t","after":null,"upto":null}`,
		},
		{
			"ready",
			goodStatus,
			func(c *Client) error { _, err := c.Ready(ctx, "u", 5, digest, wire.Receipt{User: "u"}); return err },
			"POST",
			"/users/u/ready",
			`"receipt":{"user":"u"`,
		},
		{"mark", `{"etag":"00ff"}`, func(c *Client) error {
			got, err := c.Mark(
				ctx,
				"u",
				wire.MarkRequest{
					ETag:     "aa",
					Modified: 7,
					Head:     []byte("SQL"),
					MD5:      "00ff",
					Metadata: map[string]string{"dbmigrate-fence": "5.5"},
				},
			)
			if err == nil && got != `"00ff"` {
				t.Errorf("the ETag is %s", got)
			}
			return err
		}, "POST", "/users/u/mark", `{"etag":"aa","modified":7,"head":"U1FM","md5":"00ff","metadata":{"dbmigrate-fence":"5.5"}}`},
		{"fence", `{"etag":"00ff","source":"aa"}`, func(c *Client) error {
			got, err := c.Fence(
				ctx,
				"u",
				wire.FenceRequest{Gen: 5, Metadata: map[string]string{"dbmigrate-fence": "5.5"}},
			)
			if err == nil && (got.ETag != "00ff" || got.Source != "aa") {
				t.Errorf("fenced %+v", got)
			}
			return err
		}, "POST", "/users/u/fence", `{"gen":5,"metadata":{"dbmigrate-fence":"5.5"}}`},
		{
			"activate",
			goodStatus,
			func(c *Client) error { _, err := c.Activate(ctx, "u", 5); return err },
			"POST",
			"/users/u/activate",
			`{"gen":5}`,
		},
		{
			"thaws",
			`{"thaws":[{"table":"games","columns":["id"],"keys":[[{"int":"7"}]]}]}`,
			func(c *Client) error { _, err := c.Thaws(ctx, "u"); return err },
			"GET",
			"/users/u/thaws",
			"",
		},
		{
			"export schema",
			`{"schema":{},"writes":1,"phase":"SEALED"}`,
			func(c *Client) error { _, err := c.ExportSchema(ctx, "u"); return err },
			"GET",
			"/users/u/export/schema",
			"",
		},
		{"export rows", string(page), func(c *Client) error {
			got, err := c.ExportRows(ctx, "u", wire.ExportRequest{Table: "t", MaxBytes: 100})
			if err == nil && got.Rows != 1 {
				t.Errorf("page is %+v", got)
			}
			return err
		}, "POST", "/users/u/export/rows", `{"table":"t","after":null,"maxBytes":100}`},
		{
			"release",
			goodStatus,
			func(c *Client) error { _, err := c.Release(ctx, "u", 5); return err },
			"POST",
			"/users/u/release",
			`{"gen":5}`,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			media := mediaJSON
			if strings.HasPrefix(c.answer, "DMX1") {
				media = mediaBinary
			}
			w := newWorker(t, func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Type", media)
				io.WriteString(rw, c.answer)
			})
			client, _ := w.client(t)
			if err := c.call(client); err != nil {
				t.Fatal(err)
			}
			r := w.seen()[0]
			path := r.path
			if r.query != "" {
				path += "?" + r.query
			}
			if r.method != c.method || path != wire.Prefix+c.path || !strings.Contains(r.body, c.body) {
				t.Errorf("sent %s %s %s", r.method, path, r.body)
			}
			for name, want := range map[string]string{"Authorization": "Bearer " + testToken, "Cf-Access-Client-Id": "id.access", "Cf-Access-Client-Secret": "cfast_x",
				"X-Dbmigrate-Location": "weur", "User-Agent": "dbmigrate", "Accept-Encoding": "identity", "Accept": media} {
				if r.header.Get(name) != want {
					t.Errorf("header %s is %q", name, r.header.Get(name))
				}
			}
		})
	}
}

// R2 would not have taken bytes with another MD5, so an answer that says so is not to be believed.
func TestMarkWithAnotherETag(t *testing.T) {
	w := newWorker(t, answerJSON(200, `{"etag":"ee"}`))
	client, _ := w.client(t)
	_, err := client.Mark(context.Background(), "ann", wire.MarkRequest{MD5: "00ff"})
	wantKind(t, err, userdb.ProtocolError)
}
