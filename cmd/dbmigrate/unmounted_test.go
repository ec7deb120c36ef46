package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// TestSplitNeedsItsPart: a Worker that is mounted without split mode, or does not tell whether its router has
// it, is refused by name, before any object is claimed and any file is written; doctor says what it lacks.
func TestSplitNeedsItsPart(t *testing.T) {
	t.Run("not mounted", func(t *testing.T) {
		mustRefuseSplits(t, wire.Hello{Object: &wire.ObjectReport{Parts: []string{}}},
			"mounted without split mode", "splitMode", "mounted without live updates and split mode")
	})
	t.Run("not told", func(t *testing.T) {
		mustRefuseSplits(
			t,
			wire.Hello{Split: true, Object: &wire.ObjectReport{Parts: []string{wire.PartSplit}}},
			"whether its routers have split mode is not known",
			"before handleAdmin",
			"whether createRouter was given it is not known",
		)
	})
}

// mustRefuseSplits demands that both commands give the reason and the way out, and doctor its word.
func mustRefuseSplits(t *testing.T, hello wire.Hello, reason, wayOut, doctors string) {
	t.Helper()
	hello.Protocol, hello.Worker, hello.Limits = wire.Version, "test", wire.DefaultLimits
	hello.Object.Answers, hello.Object.Worker = true, "test"
	var mu sync.Mutex
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasSuffix(r.URL.Path, "/hello") {
			mu.Lock()
			asked = append(asked, r.Method+" "+r.URL.Path)
			mu.Unlock()
			emptyCloud(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(hello) // the client is gone
	}))
	t.Cleanup(server.Close)
	policy := policyFile(t)
	for _, command := range []string{
		"migrate nobody --mode split --policy " + policy,
		"thaw nobody --requested --policy " + policy,
	} {
		asked = nil
		said := inCloud(t.Context(), t, server.URL, nil, strings.Fields(command)...)
		if said.exit != exitUsage || !strings.Contains(said.stderr, reason) || !strings.Contains(said.stderr, wayOut) {
			t.Errorf("%s: exit %d: %s", command, said.exit, said.stderr)
		}
		for _, request := range asked {
			if strings.HasPrefix(request, http.MethodPut) || strings.Contains(request, wire.Prefix) {
				t.Errorf("%s: asked %s", command, request)
			}
		}
	}
	said := inCloud(t.Context(), t, server.URL, nil, "doctor")
	if !strings.Contains(said.stdout+said.stderr, doctors) {
		t.Errorf("doctor does not say %q: %s", doctors, said.stdout)
	}
}
