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

// TestSplitNeedsItsPart: a Worker that is mounted without split mode is refused by name, before any object
// is claimed and any file is written; doctor says what it lacks.
func TestSplitNeedsItsPart(t *testing.T) {
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
		_ = json.NewEncoder(w).Encode(wire.Hello{
			Protocol: wire.Version, Worker: "test", Limits: wire.DefaultLimits,
			Object: &wire.ObjectReport{Answers: true, Worker: "test", Parts: []string{}},
		}) // the client is gone
	}))
	t.Cleanup(server.Close)
	policy := policyFile(t)
	for _, command := range []string{
		"migrate nobody --mode split --policy " + policy,
		"thaw nobody --requested --policy " + policy,
	} {
		asked = nil
		said := inCloud(t.Context(), t, server.URL, nil, strings.Fields(command)...)
		if said.exit != exitUsage || !strings.Contains(said.stderr, "mounted without split mode") ||
			!strings.Contains(said.stderr, "splitMode") {
			t.Errorf("%s: exit %d: %s", command, said.exit, said.stderr)
		}
		for _, request := range asked {
			if strings.HasPrefix(request, http.MethodPut) || strings.Contains(request, wire.Prefix) {
				t.Errorf("%s: asked %s", command, request)
			}
		}
	}
	said := inCloud(t.Context(), t, server.URL, nil, "doctor")
	if want := "mounted without live updates and split mode"; !strings.Contains(said.stdout+said.stderr, want) {
		t.Errorf("doctor does not say %q: %s", want, said.stdout)
	}
}
