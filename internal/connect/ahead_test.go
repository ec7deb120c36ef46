package connect

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/pkg/kv"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// slowWorker answers hello only once everything else that a start-up asks for has arrived.
type slowWorker struct {
	t    *testing.T
	mu   sync.Mutex
	left map[string]bool
	all  chan struct{}

	again  int    // questions beside the greeting
	second string // the version that answers these
}

func nameOf(r *http.Request) string {
	switch {
	case strings.HasSuffix(r.URL.Path, "/hello"):
		return "hello"
	case r.URL.Query().Has("lifecycle"):
		return "lifecycle rules"
	case strings.HasSuffix(r.URL.Path, "/lock"):
		return "lock rules"
	case r.Method == http.MethodHead:
		return "the user's file"
	case r.URL.Query().Get("list-type") == "2":
		return "quarantine"
	case strings.HasSuffix(r.URL.Path, "/keys"):
		return "flags"
	}
	return r.Method + " " + r.URL.Path
}

func (s *slowWorker) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := nameOf(r)
	s.mu.Lock()
	answers := "test"
	if name == "hello" && r.URL.Query().Has("again") {
		s.again++
		name, answers = fmt.Sprint("hello again ", s.again), s.second
	}
	if delete(s.left, name); len(s.left) == 0 && s.all != nil {
		close(s.all)
		s.all = nil
	}
	all := s.all
	s.mu.Unlock()
	switch {
	case strings.HasPrefix(name, "hello"):
		if all != nil {
			select {
			case <-all:
			case <-time.After(time.Minute):
				s.t.Errorf("nobody asked for %v while the Worker answered", s.left)
			}
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(wire.Hello{
			Protocol: wire.Version,
			Worker:   answers,
			Limits:   wire.DefaultLimits,
			Object:   &wire.ObjectReport{Answers: true, Worker: "test"},
			NowMs:    time.Now().UnixMilli(),
		}) // the client is gone
	case name == "lifecycle rules", name == "quarantine":
		w.Header().Set("Content-Type", "application/xml")
		fmt.Fprint(w, "<Result/>")
	case name == "the user's file":
		w.Header().Set("Content-Length", "1")
	default:
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"success":true,"errors":[],"messages":[],"result":[],"result_info":{"count":0,"cursor":""}}`)
	}
}

// TestAsksWhileTheWorkerAnswers: a migrate waits for one round trip before its first user, not for six. Where
// another version answers beside the greeting, it begins nobody.
func TestAsksWhileTheWorkerAnswers(t *testing.T) {
	for _, second := range []string{"test", "old"} {
		t.Run(second, func(t *testing.T) { asksWhileTheWorkerAnswers(t, second) })
	}
}

func asksWhileTheWorkerAnswers(t *testing.T, second string) {
	server := &slowWorker{t: t, second: second, all: make(chan struct{}), left: map[string]bool{
		"lifecycle rules": true,
		"lock rules":      true,
		"the user's file": true,
		"quarantine":      true,
		"flags":           true,
	}}
	for n := range hellosBefore - 1 {
		server.left[fmt.Sprint("hello again ", n+1)] = true
	}
	s := httptest.NewServer(server)
	defer s.Close()
	environment := map[string]string{
		"CLOUDFLARE_API_TOKEN":    "t",
		"CLOUDFLARE_ACCOUNT_ID":   "a",
		"AWS_ACCESS_KEY_ID":       "k",
		"AWS_SECRET_ACCESS_KEY":   "s",
		"DBMIGRATE_TOKEN":         "token-of-the-operator",
		"DBMIGRATE_WORKER_URL":    s.URL,
		"DBMIGRATE_BUCKET":        "b",
		"DBMIGRATE_KV_NAMESPACE":  "n",
		"DBMIGRATE_LOCATION_HINT": "none",
		"AWS_ENDPOINT_URL_S3":     s.URL,
		"CLOUDFLARE_API_BASE_URL": s.URL,
	}
	source := &Source{
		APIBudget: kv.DefaultBudget,
		Getenv:    func(name string) string { return environment[name] },
		Traffic:   fleet.NewTraffic(),
		Version:   "test",
		Warn:      t.Logf,
	}
	set, err := selection.Options{}.Parse([]string{"alice"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var ahead Ahead
	conn, err := source.All(t.Context(), Need{
		Concurrency: 1,
		Why:         FillsObjects,
		Moves:       true,
		Meanwhile: func(e *migrate.Engine, c config.Config) {
			ahead.Begin(t.Context(), e, c, set, "", true, t.Logf)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	// Each wave has a context of its own, which ends with it.
	before := conn.StillTheWorker(nil)
	for wave := range 2 {
		ctx, cancel := context.WithCancel(t.Context())
		if err := before(ctx, nil); (err != nil) != (second != "test") {
			t.Errorf("wave %d, version %s beside test: %v", wave, second, err)
		}
		cancel()
	}
	if users, err := ahead.Users(); err != nil || len(users) != 1 {
		t.Errorf("%v, %v", users, err)
	}
	if _, err := ahead.Known(); err != nil {
		t.Error(err)
	}
	if _, err := ahead.Flags(); err != nil {
		t.Error(err)
	}
}
