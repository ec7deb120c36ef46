package faultproxy

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// upstream answers "hello" and counts what reached it.
func upstream(t *testing.T) (*Proxy, *int) {
	t.Helper()
	reached := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reached++
		io.WriteString(w, "hello")
	}))
	t.Cleanup(server.Close)
	p, err := New(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p, &reached
}

func TestFaults(t *testing.T) {
	for _, c := range []struct {
		name    string
		fault   Fault
		reached int
		status  int // 0: the client gets an error
		body    string
	}{
		{"pass", Fault{}, 1, 200, "hello"},
		{"repeat", Fault{Repeat: true}, 2, 200, "hello"},
		{"cut", Fault{Cut: true}, 1, 0, ""},
		{"cut half", Fault{CutHalf: true}, 1, 200, "he"},
		{"truncate", Fault{Truncate: true}, 1, 200, "he"},
		{"drip", Fault{Drip: time.Millisecond}, 1, 200, "hello"},
		{"swallow", Fault{Swallow: true}, 0, 0, ""},
		{"status without effect", Fault{Swallow: true, Status: 503, Body: "later"}, 0, 503, "later"},
		{"status after the effect", Fault{Status: 500, Body: "oh"}, 1, 500, "oh"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, reached := upstream(t)
			p.Reset(func(Request) Fault { return c.fault })
			// POST, since Go's client repeats a GET by itself when a connection breaks.
			answer, err := http.Post(p.URL()+"/x", "text/plain", nil)
			status, body := 0, ""
			if err == nil {
				got, readErr := io.ReadAll(answer.Body)
				if (readErr != nil) != c.fault.CutHalf {
					t.Errorf("reading the body: %v", readErr)
				}
				status, body = answer.StatusCode, string(got)
			}
			if status != c.status || body != c.body || *reached != c.reached {
				t.Errorf(
					"status %d body %q reached %d, want %d %q %d",
					status,
					body,
					*reached,
					c.status,
					c.body,
					c.reached,
				)
			}
		})
	}
}

func TestLateArrivesOnRelease(t *testing.T) {
	p, reached := upstream(t)
	p.Reset(func(Request) Fault { return Fault{Late: true} })
	if _, err := http.Post(p.URL()+"/x", "text/plain", nil); err == nil {
		t.Error("a late request was answered")
	}
	if *reached != 0 {
		t.Error("it arrived at once")
	}
	if n, err := p.Release(); n != 1 || err != nil || *reached != 1 {
		t.Errorf("released %d, reached %d, %v", n, *reached, err)
	}
}
