package kv

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

const fakeToken = "t0ken-that-no-error-may-show"

// fake is the Cloudflare API's part in memory, so that tests can run in synthetic time: one step for each
// request, the last one for all further.
type fake struct {
	mu       sync.Mutex
	steps    []step
	requests []seen
}

type seen struct {
	at            time.Time
	method, path  string
	authorization string
	keys          []string // of a bulk call
}

// step answers a request: with a status, headers as "Name: value" and a body, or with an error.
type step struct {
	status  int
	headers []string
	body    string
	err     error
}

func (f *fake) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		body, _ = io.ReadAll(r.Body)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests = append(
		f.requests,
		seen{time.Now(), r.Method, r.URL.RequestURI(), r.Header.Get("Authorization"), bulkKeys(body)},
	)
	next := f.steps[min(len(f.requests), len(f.steps))-1]
	if next.err != nil {
		return nil, next.err
	}
	response := &http.Response{
		StatusCode: next.status, Header: http.Header{"Content-Type": {"application/json"}}, Request: r,
		Body: io.NopCloser(strings.NewReader(next.body)),
	}
	for _, header := range next.headers {
		name, value, _ := strings.Cut(header, ": ")
		response.Header.Set(name, value)
	}
	return response, nil
}

func bulkKeys(body []byte) (keys []string) {
	var pairs []struct{ Key string }
	if json.Unmarshal(body, &keys) == nil {
		return keys
	}
	if json.Unmarshal(body, &pairs) == nil {
		keys = nil
		for _, pair := range pairs {
			keys = append(keys, pair.Key)
		}
	}
	return keys
}

func (f *fake) client(t *testing.T) *Client {
	t.Helper()
	c, err := New(
		Config{
			AccountID:   "acc",
			NamespaceID: "ns",
			Token:       fakeToken,
			HTTP:        &http.Client{Transport: f},
			MaxAttempts: 3,
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func ok(result string) step {
	return step{
		status: 200,
		body:   fmt.Sprintf(`{"success":true,"errors":[],"messages":[],"result":%s}`, result),
	}
}

func refusal(status, code int, message string, headers ...string) step {
	body := fmt.Sprintf(
		`{"success":false,"errors":[{"code":%d,"message":%q}],"messages":[],"result":null}`,
		code,
		message,
	)
	return step{status: status, body: body, headers: headers}
}

var written = ok(`{"successful_key_count":1,"unsuccessful_keys":[]}`)

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
	if strings.Contains(err.Error(), fakeToken) {
		t.Errorf("the error shows the token: %v", err)
	}
}
