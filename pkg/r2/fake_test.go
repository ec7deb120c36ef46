package r2

import (
	"crypto/md5"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

const fakeSecret = "s3cr3t-that-no-error-may-show"

// fake plays R2's part in what the local runtime never does: one step for each request, the last one for all
// further.
type fake struct {
	*httptest.Server
	mu       sync.Mutex
	requests []seen
}

type seen struct {
	method, path string
	header       http.Header
	body         string
}

type step = func(w http.ResponseWriter, r *http.Request)

func newFake(t *testing.T, steps ...step) *fake {
	t.Helper()
	f := &fake{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		f.mu.Lock()
		f.requests = append(f.requests, seen{r.Method, r.URL.RequestURI(), r.Header.Clone(), string(body)})
		next := steps[min(len(f.requests), len(steps))-1]
		f.mu.Unlock()
		next(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) log() []seen {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.requests
}

func (f *fake) config() Config {
	return Config{
		Endpoint: f.URL, Bucket: "users", AccessKeyID: "id", SecretAccessKey: fakeSecret, MaxAttempts: 3, StallTimeout: 100 * time.Millisecond,
		waits: waits{first: time.Millisecond, throttled: time.Millisecond, most: time.Millisecond},
	}
}

func (f *fake) client(t *testing.T) *Client {
	t.Helper()
	return newClient(t, f.config())
}

// answer is an S3 error document.
func answer(status int, code string) step {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		fmt.Fprintf(
			w,
			`<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>about %s</Message></Error>`,
			code,
			code,
		)
	}
}

func etagOf(content string) userdb.ETag {
	return userdb.ETag(fmt.Sprintf(`"%x"`, md5.Sum([]byte(content))))
}

// object serves content from its range header on, but breaks the connection after sending sent bytes of it.
func object(content string, sent int) step {
	return func(w http.ResponseWriter, r *http.Request) {
		rest, status := content, http.StatusOK
		var from int
		if _, err := fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &from); err == nil {
			rest, status = content[from:], http.StatusPartialContent
			w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(content)-1, len(content)))
		}
		w.Header().Set("ETag", string(etagOf(content)))
		w.Header().Set("Content-Length", fmt.Sprint(len(rest)))
		w.WriteHeader(status)
		io.WriteString(w, rest[:min(sent, len(rest))])
	}
}

func stored(etag userdb.ETag) step {
	return func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("ETag", string(etag)) }
}

func hangUp(w http.ResponseWriter, _ *http.Request) {
	connection, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		connection.Close()
	}
}

func checkError(t *testing.T, err error, want userdb.Kind, words ...string) {
	t.Helper()
	if userdb.KindOf(err) != want {
		t.Fatalf("kind %q, not %q: %v", userdb.KindOf(err), want, err)
	}
	if err == nil {
		return
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error does not say %q: %v", word, err)
		}
	}
	if strings.Contains(err.Error(), fakeSecret) {
		t.Errorf("the error shows the secret: %v", err)
	}
}
