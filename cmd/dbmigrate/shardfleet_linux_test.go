package main

import (
	"crypto/md5"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// shardedFleet is a bigFleet 50 ms away, of users with files that are no databases: a migrate looks at each
// of its shard, and refuses them by name.
type shardedFleet struct {
	bigFleet
	mu    sync.Mutex
	begun time.Time
	first time.Duration // until the first user's file was read
	reads int
}

const (
	fleetAway = 50 * time.Millisecond
	noFile    = "this is no database"
)

func (f *shardedFleet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	time.Sleep(fleetAway)
	file := strings.HasSuffix(r.URL.Path, "/database.sqlite")
	switch {
	case r.URL.Query().Has("lifecycle"), strings.Contains(r.URL.Query().Get("prefix"), userdb.ReservedPrefix):
		w.Header().Set("Content-Type", "application/xml")
		fmt.Fprint(w, "<Result/>")
	case strings.HasSuffix(r.URL.Path, "/lock"), strings.HasSuffix(r.URL.Path, "/namespaces/n"):
		answerJSON(w, map[string]any{"success": true, "result": map[string]any{}})
	case strings.HasSuffix(r.URL.Path, "/status"):
		answerJSON(w, map[string]any{"phase": "EMPTY"})
	case file && r.Method == http.MethodGet:
		f.mu.Lock()
		if f.reads++; f.reads == 1 {
			f.first = time.Since(f.begun)
		}
		f.mu.Unlock()
		fallthrough
	case file:
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, md5.Sum([]byte(noFile))))
		http.ServeContent(w, r, "", time.Unix(1_760_000_000, 0), strings.NewReader(noFile))
	case strings.Contains(r.URL.Path, "/database.sqlite-"): // a journal beside the file
		http.NotFound(w, r)
	case r.Method == http.MethodPut:
		body, _ := io.ReadAll(r.Body) // of a client that is gone, nobody reads the answer
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, md5.Sum(body)))
	default:
		f.bigFleet.ServeHTTP(w, r)
	}
}

// TestMigrateOfAShard: one of 64 shards reads the listing and asks for the files of its own users; what it
// keeps does not grow with the fleet's other users, and it reads nobody's flag. A whole run has a million
// users, and shows how soon the first of them begins.
func TestMigrateOfAShard(t *testing.T) {
	users := effort.Amount(t, "users", 20_000, 1_000_000)
	fleet := &shardedFleet{bigFleet: bigFleet{users: users}, begun: time.Now()}
	server := httptest.NewServer(fleet)
	defer server.Close()
	cmd := exec.Command("dbmigrate", "migrate", "--all", "--shard", "3/64", "--output", "json")
	cmd.Dir = t.TempDir()
	cmd.Env = []string{
		"HOME=" + t.TempDir(),
		"PATH=" + os.Getenv("PATH"),
		"CLOUDFLARE_API_TOKEN=t",
		"CLOUDFLARE_ACCOUNT_ID=a",
		"AWS_ACCESS_KEY_ID=k",
		"AWS_SECRET_ACCESS_KEY=s",
		"DBMIGRATE_TOKEN=token-of-the-operator",
		"DBMIGRATE_WORKER_URL=" + server.URL,
		"DBMIGRATE_BUCKET=b",
		"DBMIGRATE_KV_NAMESPACE=n",
		"DBMIGRATE_LOCATION_HINT=none",
		"AWS_ENDPOINT_URL_S3=" + server.URL,
		"CLOUDFLARE_API_BASE_URL=" + server.URL,
	}
	var talk strings.Builder
	cmd.Stderr = &talk
	var out strings.Builder
	cmd.Stdout = &out
	peak, _ := peakOf(t, cmd) // nobody can be moved
	refused := strings.Count(out.String(), `"quarantine":"not-sqlite"`)
	if refused < users/64/2 || refused > users/64*2 || cmd.ProcessState.ExitCode() != exitFailed {
		t.Errorf("%d users were refused, exit %d: %.2000s", refused, cmd.ProcessState.ExitCode(), talk.String())
	}
	if lists, flags := fleet.lists.Load(), fleet.flags.Load(); lists != int64(users/bigPage) || flags > 2 {
		t.Errorf("%d pages of the listing, %d of flags", lists, flags)
	}
	if peak > mostMemory {
		t.Errorf("%d users take %d bytes", users, peak)
	}
	t.Logf("%d users, %d in the shard: the first begins after %v, all after %v, peak memory %d MB",
		users, refused, fleet.first.Round(time.Second/10), time.Since(fleet.begun).Round(time.Second/10), peak/1_000_000)
}
