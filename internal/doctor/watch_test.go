package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/terminal"
)

// TestWatchSaysWhatChanges: a service that fails, and is back, is one line each; what stays as it was is not
// said again, and what could not be looked at did not fail.
func TestWatchSaysWhatChanges(t *testing.T) {
	const failsAt, isBackAt, endsAt = 3, 5, 7
	users := &cloud{files: []string{"alice"}, atOnce: 1}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	look := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/keys") && r.URL.Query().Get("limit") != "1000" { // doctor's own
			if look++; look == endsAt {
				stop()
			}
			if look >= failsAt && look < isBackAt {
				w.WriteHeader(http.StatusForbidden)
				return
			}
		}
		users.ServeHTTP(w, r)
	}))
	defer server.Close()
	var out, talk bytes.Buffer
	o := terminal.New(terminal.Options{Out: &out, Err: &talk, Format: terminal.JSON})
	if _, err := Watch(ctx, configOf(server.URL), Options{}, time.Millisecond, o); err != nil {
		t.Fatal(err)
	}
	var said []string
	for line := range strings.Lines(talk.String()) {
		if parts := strings.SplitN(line, ": ", 3); len(parts) == 3 && strings.HasSuffix(parts[0], "kv") {
			said = append(said, parts[0][len("22:43:08 "):]+" "+parts[1])
		}
	}
	if !slices.Equal(said, []string{"kv FAIL", "kv ok again", "clock kv ok"}) {
		t.Errorf("it said %q:\n%s", said, &talk)
	}
	var seen []bool
	for line := range strings.Lines(out.String()) {
		var f Finding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			t.Fatal(err)
		}
		if f.Check == "kv" {
			seen = append(seen, f.OK)
		}
	}
	if !slices.Equal(seen, []bool{true, false, true}) {
		t.Errorf("stdout has the check as %v:\n%s", seen, &out)
	}
}
