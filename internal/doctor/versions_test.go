package doctor

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// deadline is a context that a test ends as if its time were over.
type deadline struct {
	context.Context
	over chan struct{}
}

func (d deadline) Done() <-chan struct{} { return d.over }

func (d deadline) Err() error {
	select {
	case <-d.over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// TestVersionsOfASlowWorker: what answered in time is judged. A slow Worker is no other version, and two
// versions are two versions also where the rest was too slow.
func TestVersionsOfASlowWorker(t *testing.T) {
	const times = 3
	for name, c := range map[string]struct {
		answers []string // a version, or a version and an id; "": refused; then the time is over
		ok      bool
		detail  string
	}{
		"all in time":         {[]string{"a", "a", "a"}, true, "a (3 of 3)"},
		"some in time":        {[]string{"a", "a"}, true, "a (2 of 2); no time for the rest of 3 questions"},
		"two versions":        {[]string{"a", "b"}, false, "several answer: a (1 of 2), b (1 of 2)"},
		"two, then refused":   {[]string{"a", "b", ""}, false, "several answer: a (1 of 2), b (1 of 2)"},
		"one, then refused":   {[]string{"a", ""}, false, "403"},
		"none in time":        {nil, false, "context deadline exceeded"},
		"other code":          {[]string{"a 12345678-x", "a 9abcdef0-x"}, false, "several answer: a 12345678 (1 of 2), a 9abcdef0 (1 of 2)"},
		"the same code":       {[]string{"a 12345678-x", "a 12345678-x", "a 12345678-x"}, true, "a 12345678 (3 of 3)"},
		"an id too few":       {[]string{"a", "a 12345678-x"}, false, "several answer: a (1 of 2), a 12345678 (1 of 2)"},
		"all, of two of them": {[]string{"b", "a", "a"}, false, "several answer: a (2 of 3), b (1 of 3)"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := deadline{t.Context(), make(chan struct{})}
			end := sync.OnceFunc(func() { close(ctx.over) })
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case asked >= len(c.answers):
					end()
					<-r.Context().Done()
				case c.answers[asked] == "":
					w.WriteHeader(http.StatusForbidden)
				default:
					w.Header().Set("Content-Type", "application/json")
					version, id, _ := strings.Cut(c.answers[asked], " ")
					_ = json.NewEncoder(w).Encode(
						wire.Hello{Protocol: wire.Version, Worker: version, VersionID: id, Limits: wire.DefaultLimits},
					) // the client may be gone
				}
				asked++
			}))
			defer server.Close()
			got := checkVersions(ctx, configOf(server.URL), "test", times)
			if len(got) != 1 || got[0].OK != c.ok || !strings.Contains(got[0].Detail, c.detail) {
				t.Errorf("%+v, not ok=%v %q", got, c.ok, c.detail)
			}
			blind := c.ok && !strings.Contains(c.detail, "12345678")
			if strings.Contains(got[0].Detail, "without version_metadata") != blind {
				t.Errorf("%+v: it does not know of other code: %v", got, blind)
			}
		})
	}
}
