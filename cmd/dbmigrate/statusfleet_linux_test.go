package main

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// bigFleet answers like R2, the Cloudflare API and the Worker over a fleet that is generated as it is asked
// for. Every second user is migrated.
type bigFleet struct {
	users                     int
	lists, flags, hellos, odd atomic.Int64
	runs                      atomic.Int64
}

func bigUser(i int) string { return fmt.Sprintf("user-%06d", i) }

func (f *bigFleet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case strings.HasSuffix(r.URL.Path, "/keys"):
		f.flags.Add(1)
		f.flagPage(w, r)
	case r.URL.Query().Get("list-type") == "2" && r.URL.Query().Get("prefix") == record.Prefix:
		f.runs.Add(1)
		w.Header().Set("Content-Type", "application/xml")
		fmt.Fprint(w, "<ListBucketResult></ListBucketResult>")
	case r.URL.Query().Get("list-type") == "2":
		f.lists.Add(1)
		f.folderPage(w, r)
	case strings.HasSuffix(r.URL.Path, "/hello"):
		f.hellos.Add(1)
		answerJSON(
			w,
			wire.Hello{
				Protocol: wire.Version,
				Worker:   "test",
				Limits:   wire.DefaultLimits,
				Object:   &wire.ObjectReport{Answers: true, Worker: "test"},
				Layout:   userdb.DefaultLayout,
				NowMs:    time.Now().UnixMilli(),
			},
		)
	default:
		f.odd.Add(1)
		http.Error(w, r.Method+" "+r.URL.Path, http.StatusTeapot)
	}
}

func answerJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // the client is gone
}

const bigPage = 1000

// mostMemory is what no command over a fleet of any size may take, in bytes.
const mostMemory = 200_000_000

// lineCount counts lines, and keeps none.
type lineCount int

func (n *lineCount) Write(p []byte) (int, error) {
	*n += lineCount(bytes.Count(p, []byte{'\n'}))
	return len(p), nil
}

// peakOf runs a command, and says how much memory it had at most.
func peakOf(t *testing.T, cmd *exec.Cmd) (peak int64, err error) {
	t.Helper()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			return peak, err
		case <-time.After(5 * time.Millisecond):
			peak = max(peak, highWater(cmd.Process.Pid))
		}
	}
}

func (f *bigFleet) flagPage(w http.ResponseWriter, r *http.Request) {
	begin, _ := strconv.Atoi(r.URL.Query().Get("cursor"))
	keys := []any{}
	if r.URL.Query().Get("prefix") == userdb.SplitFlagPrefix {
		begin = f.users // nobody is split
	}
	i := begin
	for ; i < f.users && len(keys) < bigPage; i += 2 {
		keys = append(keys, map[string]any{"name": userdb.FlagPrefix + bigUser(i),
			"metadata": userdb.FlagMeta{
				Version: 1,
				Lineage: 1,
				Gen:     1,
				At:      1_795_665_600_000,
				Run:     "20261126T040000Z-1a2b3c4d",
				Bytes:   int64(1_000_000 + i),
			}})
	}
	cursor := ""
	if i < f.users {
		cursor = strconv.Itoa(i)
	}
	answerJSON(
		w,
		map[string]any{
			"success":     true,
			"errors":      []any{},
			"messages":    []any{},
			"result":      keys,
			"result_info": map[string]any{"count": len(keys), "cursor": cursor},
		},
	)
}

func (f *bigFleet) folderPage(w http.ResponseWriter, r *http.Request) {
	type folder struct {
		Prefix string
	}
	page := struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		CommonPrefixes        []folder
	}{}
	begin, _ := strconv.Atoi(r.URL.Query().Get("continuation-token"))
	for i := begin; i < min(begin+bigPage, f.users); i++ {
		page.CommonPrefixes = append(page.CommonPrefixes, folder{bigUser(i) + "/"})
	}
	if begin+bigPage < f.users {
		page.IsTruncated, page.NextContinuationToken = true, strconv.Itoa(begin+bigPage)
	}
	w.Header().Set("Content-Type", "application/xml")
	_ = xml.NewEncoder(w).Encode(page) // the client is gone
}

// A status of everybody costs a call of the API for a thousand flags, a listing request for a thousand users,
// and nothing for any single one.
func TestStatusOfAHundredThousandUsers(t *testing.T) {
	users := effort.Amount(t, "users", 100_000, 1_000_000)
	for _, format := range []string{"json", "table"} {
		t.Run(format, func(t *testing.T) {
			fleet := &bigFleet{users: users}
			server := httptest.NewServer(fleet)
			defer server.Close()
			cmd := exec.Command("dbmigrate", "status", "--output", format)
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
				"AWS_ENDPOINT_URL_S3=" + server.URL,
				"CLOUDFLARE_API_BASE_URL=" + server.URL,
			}
			var talk strings.Builder
			cmd.Stderr = &talk
			var printed lineCount
			cmd.Stdout = &printed
			peak, err := peakOf(t, cmd)
			if err != nil {
				t.Fatalf("%v: %s", err, talk.String())
			}
			if lines := int(printed); lines != users/2+1 ||
				!strings.Contains(talk.String(), fmt.Sprintf("%d in R2, %d in Durable Objects", users/2, users/2)) {
				t.Errorf("%d lines; %s", lines, talk.String())
			}
			if !strings.Contains(talk.String(), "by the flags and a listing, which are hints") {
				t.Errorf("it does not say where it comes from: %s", talk.String())
			}
			if fleet.flags.Load() != int64(users/2000+1) || // one for the flags of split users
				fleet.lists.Load() != int64(users/1000) || fleet.hellos.Load() != 1 || fleet.odd.Load() != 0 || fleet.runs.Load() != 1 {
				t.Errorf(
					"%d pages of flags, %d of the listing, %d hellos, %d other requests",
					fleet.flags.Load(),
					fleet.lists.Load(),
					fleet.hellos.Load(),
					fleet.odd.Load(),
				)
			}
			if peak > mostMemory {
				t.Errorf("%d users take %d bytes", users, peak)
			}
			t.Logf(
				"%d users, half of them with flags: %d calls of the Cloudflare API, %d listing requests, peak memory %d MB",
				users,
				fleet.flags.Load(),
				fleet.lists.Load(),
				peak/1_000_000,
			)
		})
	}
}
