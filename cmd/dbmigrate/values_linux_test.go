package main

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestUsersAreOffered by a bounded listing, whatever the command; where R2 does not answer, nothing is, and
// nothing is said.
func TestUsersAreOffered(t *testing.T) {
	fleet := &largeFleet{users: 3000, calls: map[string]int{}}
	server := httptest.NewServer(fleet)
	t.Cleanup(server.Close)
	for _, cmd := range newRoot(&app{}).Commands() {
		if !namesUsers(cmd) {
			continue
		}
		got, directive := offered(t, server.URL, nil, cmd.Name(), "user-")
		if len(got) != mostOffered || !strings.HasPrefix(got[0], "user-") || directive != ":4" {
			t.Errorf("%s offers %q, %s", cmd.Name(), got, directive)
		}
	}
	first, _ := offered(t, server.URL, nil, "status", "user-")
	if fleet.calls["R2 list"] == 0 || fleet.calls["R2 head"] > 0 || fleet.calls["KV list"] > 0 {
		t.Errorf("calls: %v", fleet.calls)
	}
	again, _ := offered(t, server.URL, nil, "status", first[0], "user-")
	if slices.Contains(again, first[0]) {
		t.Errorf("a user who is named is offered again: %q", again)
	}
	refuse := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusForbidden) }))
	t.Cleanup(refuse.Close)
	hang := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(hang.Close)
	for _, url := range []string{refuse.URL, hang.URL, "http://127.0.0.1:1"} {
		for _, words := range [][]string{{"status", "a"}, {"status", "--run", ""}} {
			said := inCloud(t.Context(), t, url, nil, append([]string{cobra.ShellCompRequestCmd}, words...)...)
			if !strings.HasPrefix(said.stdout, ":") || said.exit != exitDone || strings.Contains(said.stderr, "dbmigrate:") {
				t.Errorf("%s %q: %+v", url, words, said)
			}
		}
	}
}
