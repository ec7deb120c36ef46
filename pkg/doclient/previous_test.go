package doclient

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

const previousFolder = "../wire/testdata/previous/"

// previousMessage is one message between the previous version's CLI and its Worker, as it was recorded.
type previousMessage struct {
	Request struct {
		Method, Path string
		Body         json.RawMessage
		Base64       []byte
	}
	Response struct {
		Status int
		Body   json.RawMessage
		Base64 []byte
	}
}

func (m previousMessage) route() string {
	path, _, _ := strings.Cut(strings.TrimPrefix(m.Request.Path, wire.Prefix), "?")
	return strings.TrimPrefix(path, "/users/alice")
}

// TestPreviousWorker: this client understands every answer of the previous version's Worker, and sends all
// that the previous version's client sent.
func TestPreviousWorker(t *testing.T) {
	var session []struct {
		Command  string
		Messages []previousMessage
	}
	readPrevious(t, "session.json", &session)
	met := map[string]bool{}
	for _, command := range session {
		for n, m := range command.Messages {
			t.Run(fmt.Sprintf("%s/%02d%s", command.Command, n, m.route()), func(t *testing.T) {
				met[m.route()] = true
				w := newWorker(t, answerAs(m))
				c, _ := w.client(t)
				wantSameAnswer(t, m, sendLike(t, c, m))
				wantAllOf(t, m, w.seen()[0])
			})
		}
	}
	if len(met) != 14 {
		t.Errorf("the session has messages on %d routes: %v", len(met), met)
	}
}

func readPrevious(t *testing.T, name string, into any) {
	t.Helper()
	text, err := os.ReadFile(previousFolder + name)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func answerAs(m previousMessage) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", mediaJSON)
		body := []byte(m.Response.Body)
		if m.Response.Base64 != nil {
			w.Header().Set("Content-Type", mediaBinary)
			body = m.Response.Base64
		}
		w.WriteHeader(m.Response.Status)
		w.Write(body)
	}
}

// sendLike sends what this client sends where the previous one sent m, and returns how it reads the answer.
func sendLike(t *testing.T, c *Client, m previousMessage) (answer any) {
	t.Helper()
	const user = "alice"
	ctx := t.Context()
	var body struct {
		Gen     userdb.Claim
		Schema  wire.Schema
		Batches int64
		Digest  wire.DatabaseDigest
		Receipt wire.Receipt
		Fresh   bool
	}
	if m.Request.Body != nil {
		readAs(t, m.Request.Body, &body)
	}
	var err error
	switch m.route() {
	case "/hello":
		answer, err = c.Hello(ctx)
	case "/status":
		answer, err = c.Status(ctx, user)
	case "/claim":
		answer, err = c.Claim(ctx, user, as[wire.ClaimRequest](t, m))
	case "/schema":
		answer, err = c.Schema(ctx, user, body.Gen, body.Schema)
	case "/rows":
		answer, err = sendRowsLike(ctx, c, m)
	case "/finish":
		answer, err = nil, c.Finish(ctx, user, body.Gen, body.Batches)
	case "/digest":
		ask := c.Digest
		if body.Fresh {
			ask = c.FreshDigest
		}
		answer, err = ask(ctx, user)
	case "/mark":
		answer, err = c.Mark(ctx, user, as[wire.MarkRequest](t, m))
	case "/ready":
		answer, err = c.Ready(ctx, user, body.Gen, body.Digest, body.Receipt)
	case "/activate":
		answer, err = c.Activate(ctx, user, body.Gen)
	case "/export/schema":
		answer, err = c.ExportSchema(ctx, user)
	case "/export/rows":
		answer, err = c.ExportRows(ctx, user, as[wire.ExportRequest](t, m))
	case "/merge":
		answer, err = c.Merge(ctx, user, body.Gen)
	case "/release":
		answer, err = c.Release(ctx, user, body.Gen)
	default:
		t.Fatalf("this client has no message for %s", m.route())
	}
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func as[T any](t *testing.T, m previousMessage) (value T) {
	t.Helper()
	readAs(t, m.Request.Body, &value)
	return value
}

func readAs(t *testing.T, text json.RawMessage, into any) {
	t.Helper()
	if err := json.Unmarshal(text, into); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
}

func sendRowsLike(ctx context.Context, c *Client, m previousMessage) (wire.RowsAnswer, error) {
	_, text, _ := strings.Cut(m.Request.Path, "gen=")
	gen, err := strconv.ParseUint(strings.TrimSuffix(text, "&seq=0"), 10, 64)
	if err != nil {
		return wire.RowsAnswer{}, err
	}
	return c.Rows(ctx, "alice", userdb.Claim(gen), 0, m.Request.Base64)
}

// wantSameAnswer demands that nothing of the answer is lost by reading it. What this version added is absent,
// and reads as what was so before.
func wantSameAnswer(t *testing.T, m previousMessage, read any) {
	t.Helper()
	switch read := read.(type) {
	case nil, userdb.ETag, *wire.ExportPage: // the client has compared what they hold
		return
	case wire.Hello:
		if read.Object != nil || read.SavesFiles != nil || read.FenceBytes != 0 || !read.Split || read.MarkBytes == 0 {
			t.Errorf("an absent field reads as %+v", read)
		}
	}
	text, err := json.Marshal(read)
	if err != nil {
		t.Fatal(err)
	}
	wantPart(t, "answer", value(t, m.Response.Body), value(t, text))
}

// wantAllOf demands that the request has everything that the previous version's had.
func wantAllOf(t *testing.T, m previousMessage, sent recorded) {
	t.Helper()
	path := sent.path
	if sent.query != "" {
		path += "?" + sent.query
	}
	if sent.method != m.Request.Method || path != m.Request.Path {
		t.Errorf(
			"sent %s %s, and the previous version %s %s",
			sent.method,
			path,
			m.Request.Method,
			m.Request.Path,
		)
	}
	if m.Request.Base64 != nil && sent.body != string(m.Request.Base64) {
		t.Errorf("sent %s", base64.StdEncoding.EncodeToString([]byte(sent.body)))
	}
	if m.Request.Body != nil {
		wantPart(t, "request", value(t, m.Request.Body), value(t, []byte(sent.body)))
	}
}

func value(t *testing.T, text []byte) (v any) {
	t.Helper()
	readAs(t, text, &v)
	return v
}

// wantPart demands that all of was is in now.
func wantPart(t *testing.T, where string, was, now any) {
	t.Helper()
	switch was := was.(type) {
	case nil: // nothing was said
	case map[string]any:
		fields, _ := now.(map[string]any)
		for name, part := range was {
			wantPart(t, where+"."+name, part, fields[name])
		}
	case []any:
		parts, _ := now.([]any)
		if len(parts) != len(was) {
			t.Errorf("%s was %v and is %v", where, was, now)
			return
		}
		for i, part := range was {
			wantPart(t, fmt.Sprintf("%s[%d]", where, i), part, parts[i])
		}
	default:
		if !reflect.DeepEqual(was, now) {
			t.Errorf("%s was %v and is %v", where, was, now)
		}
	}
}

// TestVersions: which Workers a client works with, and what it says of the others.
func TestVersions(t *testing.T) {
	var spoken struct{ Protocol, Oldest int }
	readPrevious(t, "versions.json", &spoken)
	if spoken.Protocol != wire.Version || spoken.Oldest != wire.OldestVersion ||
		wire.OldestVersion < wire.Version-1 {
		t.Errorf("%d from %d on, and versions.json says %+v", wire.Version, wire.OldestVersion, spoken)
	}
	refused := map[int]string{
		wire.OldestVersion - 1: "deploy the newer Worker first",
		wire.Version + 1:       "update dbmigrate",
	}
	for protocol := wire.OldestVersion - 1; protocol <= wire.Version+1; protocol++ {
		says := refused[protocol]
		hello, err := json.Marshal(wire.Hello{Protocol: protocol, Worker: "x", Limits: wire.DefaultLimits})
		if err != nil {
			t.Fatal(err)
		}
		w := newWorker(t, answerJSON(200, string(hello)))
		c, _ := w.client(t)
		_, err = c.Hello(t.Context())
		if (err != nil) != (says != "") || err != nil && !strings.Contains(err.Error(), says) {
			t.Errorf("protocol %d: %v", protocol, err)
		}
		if asked := w.seen()[0].header.Get(wire.VersionHeader); asked != strconv.Itoa(wire.Version) {
			t.Errorf("it says that it speaks %q", asked)
		}
	}
}
