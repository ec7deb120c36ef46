package doclient

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

func TestNewRefuses(t *testing.T) {
	cases := []struct {
		name   string
		change func(*Config)
		text   string // "" when accepted
	}{
		{"https", func(*Config) {}, ""},
		{"a path", func(c *Config) { c.BaseURL = "https://w.example/app/" }, ""},
		{"http to localhost", func(c *Config) { c.BaseURL = "http://localhost:8787" }, ""},
		{"http to loopback", func(c *Config) { c.BaseURL = "http://127.0.0.1:8787" }, ""},
		{"http to IPv6 loopback", func(c *Config) { c.BaseURL = "http://[::1]:8787" }, ""},
		{"http elsewhere", func(c *Config) { c.BaseURL = "http://w.example" }, "in clear"},
		{
			"http to a name that only begins like localhost",
			func(c *Config) { c.BaseURL = "http://localhost.example" },
			"in clear",
		},
		{
			"http elsewhere, allowed",
			func(c *Config) { c.BaseURL = "http://w.example"; c.AllowHTTP = true },
			"",
		},
		{
			"user info",
			func(c *Config) { c.BaseURL = "https://joe:" + testToken + "@w.example" },
			"user or password",
		},
		{
			"broken URL with user info",
			func(c *Config) { c.BaseURL = "https://joe:" + testToken + "@w.example:x" },
			"not a URL",
		},
		{"no scheme", func(c *Config) { c.BaseURL = "w.example" }, "https://"},
		{"no host", func(c *Config) { c.BaseURL = "https:///x" }, "no host"},
		{"query", func(c *Config) { c.BaseURL = "https://w.example?a" }, "query"},
		{"no token", func(c *Config) { c.Token = "" }, "missing"},
		{"a line break in the token", func(c *Config) { c.Token += "\n" }, "white space"},
		{"half an Access token", func(c *Config) { c.AccessClientID = "id" }, "one half"},
		{"a line break in the hint", func(c *Config) { c.LocationHint = "weur\r\nx: y" }, "line break"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cfg := Config{BaseURL: "https://w.example", Token: testToken}
			c.change(&cfg)
			_, err := New(cfg)
			if c.text == "" {
				wantKind(t, err, "")
				return
			}
			wantKind(t, err, userdb.Usage)
			if err == nil || !strings.Contains(err.Error(), c.text) {
				t.Errorf("the error does not say %q: %v", c.text, err)
			}
		})
	}
}

func TestSecretsDoNotShow(t *testing.T) {
	cfg := Config{
		BaseURL:            "https://joe:hidden@w.example",
		Token:              testToken,
		AccessClientID:     "id",
		AccessClientSecret: "cfast_x",
	}
	shown := fmt.Sprintf("%v %+v %#v", cfg, cfg, cfg)
	cfg.BaseURL = "https://w.example"
	client, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	shown += fmt.Sprintf("%v %+v %#v", client, client, client)
	for _, secret := range []string{testToken, "cfast_x", "hidden"} {
		if strings.Contains(shown, secret) {
			t.Errorf("%q shows in %s", secret, shown)
		}
	}
}

func TestBadUserIDIsNeverSent(t *testing.T) {
	w := newWorker(t, answerJSON(200, goodStatus))
	client, _ := w.client(t)
	for _, u := range []userdb.UserID{"", "..", "a/b"} {
		_, err := client.Status(context.Background(), u)
		wantKind(t, err, userdb.BadUserID)
	}
	if len(w.seen()) != 0 {
		t.Errorf("requests were sent: %v", w.seen())
	}
}

func TestHelloOfAnotherVersion(t *testing.T) {
	w := newWorker(t, answerJSON(200, `{"protocol":2,"worker":"9.0.0"}`))
	client, _ := w.client(t)
	_, err := client.Hello(context.Background())
	wantKind(t, err, userdb.ProtocolError)
}

func TestAnswersAreNotReadBeyondTheirLimit(t *testing.T) {
	endless := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", mediaBinary)
		block := make([]byte, 1<<20)
		for range 1000 {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
		t.Error("a gigabyte was read")
	}
	w := newWorker(t, endless)
	client, _ := w.client(t)
	_, err := client.ExportRows(context.Background(), "ann", wire.ExportRequest{Table: "t", MaxBytes: 1000})
	wantKind(t, err, userdb.ProtocolError)
}

// The memory of a page that nobody reads any more is used for the next one, and only where that fits.
func TestAnExportPageUsesTheMemoryOfAnother(t *testing.T) {
	w := newWorker(t, func(rw http.ResponseWriter, _ *http.Request) {
		page := wire.ExportPage{
			ExportHeader: wire.ExportHeader{
				Table:   "t",
				Columns: []string{"a"},
				Rows:    1,
				Last:    wire.Key{wire.IntValue(7)},
				Done:    true,
			},
		}
		page.Cells, page.Reals = wire.AppendRow(nil, nil, []wire.Value{wire.IntValue(7)})
		rw.Header().Set("Content-Type", mediaBinary)
		_, _ = rw.Write(wire.AppendExportPage(nil, &page))
	})
	client, _ := w.client(t)
	read := func(buffer []byte) *wire.ExportPage {
		page, err := client.ExportRows(
			context.Background(),
			"ann",
			wire.ExportRequest{Table: "t", MaxBytes: 1000, Buffer: buffer},
		)
		if err != nil {
			t.Fatal(err)
		}
		err = page.Each(func(row []wire.Value) error {
			if !row[0].Equal(wire.IntValue(7)) {
				t.Errorf("the row is %v", row)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		return page
	}
	small := read(make([]byte, 3))
	if again := read(small.Body); &again.Body[0] != &small.Body[0] {
		t.Error("the second page lies elsewhere")
	}
}

func TestFinishRepeatsUntilDone(t *testing.T) {
	w := newWorker(
		t,
		answerJSON(200, `{"done":false,"remaining":2}`),
		answerJSON(200, `{"done":false,"remaining":1}`),
		answerJSON(200, `{"done":true,"remaining":0}`),
	)
	client, _ := w.client(t)
	if err := client.Finish(context.Background(), "ann", 1, 2); err != nil || len(w.seen()) != 3 {
		t.Errorf("%v after %d requests", err, len(w.seen()))
	}
}

func TestFinishWithoutProgressEnds(t *testing.T) {
	w := newWorker(t, answerJSON(200, `{"done":false,"remaining":2}`))
	client, _ := w.client(t)
	wantKind(t, client.Finish(context.Background(), "ann", 1, 2), userdb.ProtocolError)
}

func TestDigestRepeatsUntilComplete(t *testing.T) {
	partial := answerJSON(200, `{"phase":"READY","gen":1,"lin":1,"writes":4,"complete":false,"digest":null}`)
	handlers := make([]http.HandlerFunc, 50) // more than a moving database gets
	for i := range handlers {
		handlers[i] = partial
	}
	w := newWorker(
		t,
		append(
			handlers,
			answerJSON(
				200,
				`{"phase":"READY","gen":1,"lin":1,"writes":4,"complete":true,"digest":{"database":"x","schema":"y","tables":[]}}`,
			),
		)...)
	client, _ := w.client(t)
	_, err := client.Digest(context.Background(), "ann")
	wantKind(t, err, userdb.ProtocolError) // the digest does not hold together
	if len(w.seen()) != 51 {
		t.Errorf("%d requests", len(w.seen()))
	}
}

func TestDigestOfAMovingDatabaseEnds(t *testing.T) {
	writes := 0
	w := newWorker(t, func(rw http.ResponseWriter, r *http.Request) {
		writes++
		answerJSON(
			200,
			fmt.Sprintf(
				`{"phase":"ACTIVE","gen":1,"lin":1,"writes":%d,"complete":false,"digest":null}`,
				writes,
			),
		)(
			rw,
			r,
		)
	})
	client, _ := w.client(t)
	_, err := client.Digest(context.Background(), "ann")
	wantKind(t, err, userdb.Conflict)
}

func TestAnotherBatchAcknowledged(t *testing.T) {
	w := newWorker(t, answerJSON(200, `{"seq":4,"applied":true}`))
	client, _ := w.client(t)
	_, err := client.Rows(context.Background(), "ann", 1, 3, []byte("DMR1"))
	wantKind(t, err, userdb.ProtocolError)
}

func TestAnotherTableExported(t *testing.T) {
	body := wire.AppendExportPage(
		nil,
		&wire.ExportPage{ExportHeader: wire.ExportHeader{Table: "u", Columns: []string{"a"}, Done: true}},
	)
	w := newWorker(t, func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", mediaBinary)
		rw.Write(body)
	})
	client, _ := w.client(t)
	_, err := client.ExportRows(context.Background(), "ann", wire.ExportRequest{Table: "t", MaxBytes: 1000})
	wantKind(t, err, userdb.ProtocolError)
}

// The Worker refuses before it has read the batch; the caller then refills the memory. Run with -race.
func TestBatchMemoryIsFreeWhenRowsReturns(t *testing.T) {
	w := newWorker(t, nil)
	w.Config.Handler = answerError(409, wire.KindStaleClaim, `{"gen":9}`)
	client, _ := w.client(t)
	batch := bytes.Repeat([]byte("x"), 8<<20)
	for range 20 {
		_, err := client.Rows(context.Background(), "ann", 1, 0, batch)
		if k := userdb.KindOf(err); k != userdb.Superseded && k != userdb.Unreachable {
			t.Fatal(err)
		}
		for i := 0; i < len(batch); i += 512 {
			batch[i]++
		}
	}
}

func TestOwnBodyEnds(t *testing.T) {
	b := &ownBody{reader: bytes.NewReader([]byte("abc"))}
	if got, err := io.ReadAll(b); string(got) != "abc" || err != nil {
		t.Fatalf("%q %v", got, err)
	}
	b = &ownBody{reader: bytes.NewReader([]byte("abc"))}
	b.Close()
	if n, err := b.Read(make([]byte, 3)); n != 0 || err == nil || err == io.EOF {
		t.Errorf("a closed body gave %d bytes and %v", n, err)
	}
}

func TestJitterStaysBelowTheCeiling(t *testing.T) {
	p := RetryPolicy{Attempts: 100, Base: time.Second, Max: 10 * time.Second, MaxRetryAfter: time.Minute}
	for attempts := 1; attempts < 100; attempts++ {
		if wait, ok := p.wait(attempts, 0); !ok || wait < 0 || wait > 10*time.Second {
			t.Fatalf("wait %d is %s, %v", attempts, wait, ok)
		}
	}
	if _, ok := p.wait(100, 0); ok {
		t.Error("the last attempt is followed by another")
	}
}

// An error answer that is cut off says nothing where its text would have said what is meant: the message is
// sent again.
func TestARefusalThatIsCutOffIsNoAnswer(t *testing.T) {
	cut := func(status int) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) {
			rw.Header().Set("Content-Type", mediaJSON)
			rw.Header().Set("Content-Length", "200")
			rw.WriteHeader(status)
			_, _ = rw.Write([]byte(`{"error":{"kind":"file-cha`))
			rw.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
	}
	changed := answerJSON(412, `{"error":{"kind":"file-changed","message":"m"}}`)
	w := newWorker(t, cut(412), changed)
	client, _ := w.client(t)
	_, err := client.Mark(context.Background(), "ann", wire.MarkRequest{})
	wantKind(t, err, userdb.Precondition)
	w = newWorker(t, cut(401), changed)
	client, _ = w.client(t)
	_, err = client.Mark(context.Background(), "ann", wire.MarkRequest{})
	wantKind(t, err, userdb.Unauthorized)
}

// TestGoesOnClearing: content that was given up is deleted by further requests, and what remains of it is no
// failure.
func TestGoesOnClearing(t *testing.T) {
	status := func(phase string, clearing bool) http.HandlerFunc {
		return answerJSON(http.StatusOK, fmt.Sprintf(
			`{"phase":%q,"gen":3,"lin":0,"intent":"rollback","batches":{"applied":[]},"outcome":"lift","clearing":%v}`,
			phase,
			clearing,
		))
	}
	failing := answerJSON(http.StatusConflict, `{"error":{"kind":"stale-claim","message":"claim 4"}}`)
	claim := func(c *Client) error {
		_, err := c.Claim(t.Context(), "alice", wire.ClaimRequest{Intent: wire.IntentRollback, Seen: 2, ID: "12345678"})
		return err
	}
	release := func(c *Client) error { _, err := c.Release(t.Context(), "alice", 3); return err }
	reset := func(c *Client) error { _, err := c.Reset(t.Context(), "alice", 3); return err }
	for _, c := range []struct {
		name    string
		send    func(*Client) error
		answers []http.HandlerFunc
		routes  string
	}{
		{"a release", release, []http.HandlerFunc{status("EMPTY", true), status("EMPTY", true), status("EMPTY", false)}, "release release release"},
		{"a lift", claim, []http.HandlerFunc{status("EMPTY", true), status("EMPTY", false)}, "claim release"},
		{"an import", claim, []http.HandlerFunc{status("IMPORTING", true), status("IMPORTING", false)}, "claim reset"},
		{"a reset", reset, []http.HandlerFunc{status("IMPORTING", true), status("IMPORTING", false)}, "reset reset"},
		{"nothing to clear", release, []http.HandlerFunc{status("EMPTY", false)}, "release"},
		{"a newer command", release, []http.HandlerFunc{status("EMPTY", true), failing}, "release release"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorker(t, c.answers...)
			client, _ := w.client(t)
			if err := c.send(client); err != nil {
				t.Error(err)
			}
			var routes []string
			for _, r := range w.seen() {
				routes = append(routes, r.path[strings.LastIndex(r.path, "/")+1:])
			}
			if got := strings.Join(routes, " "); got != c.routes {
				t.Errorf("%s, not %s", got, c.routes)
			}
		})
	}
}
