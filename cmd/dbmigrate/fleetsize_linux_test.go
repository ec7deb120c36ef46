package main

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// largeFleet is a bucket and a namespace of any size that take no room: users are numbers, one in ten has a flag. It answers what a scan asks
// for, page by page as R2 and KV do, and counts the calls.
type largeFleet struct {
	users int
	mu    sync.Mutex
	calls map[string]int
}

const fleetPage = 1000

func (f *largeFleet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	switch {
	case strings.HasSuffix(r.URL.Path, "/keys"):
		f.count("KV list")
		f.flags(w, query.Get("cursor"))
	case query.Get("list-type") == "2":
		f.count("R2 list")
		f.folders(w, query.Get("continuation-token"))
	case r.Method == http.MethodHead:
		f.count("R2 head")
		number, _ := strconv.Atoi(strings.Split(r.URL.Path, "/")[2][len("user-"):])
		w.Header().Set("Content-Length", strconv.Itoa(20_000+number*37%4_000_000))
		w.Header().Set("ETag", fmt.Sprintf(`"%032x"`, number))
		w.Header().Set("Last-Modified", time.Unix(1_760_000_000, 0).UTC().Format(http.TimeFormat))
	default:
		http.Error(w, "not expected: "+r.URL.String(), http.StatusTeapot)
	}
}

func (f *largeFleet) count(call string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls[call]++
}

func page(token string, all int) (from, to int, next string) {
	from, _ = strconv.Atoi(token)
	if to = min(from+fleetPage, all); to < all {
		next = strconv.Itoa(to)
	}
	return from, to, next
}

func (f *largeFleet) folders(w http.ResponseWriter, token string) {
	type folder struct{ Prefix string }
	var answer struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		CommonPrefixes        []folder
	}
	from, to, next := page(token, f.users)
	for i := from; i < to; i++ {
		answer.CommonPrefixes = append(answer.CommonPrefixes, folder{fmt.Sprintf("user-%06d/", i)})
	}
	answer.IsTruncated, answer.NextContinuationToken = next != "", next
	w.Header().Set("Content-Type", "application/xml")
	xml.NewEncoder(w).Encode(answer)
}

func (f *largeFleet) flags(w http.ResponseWriter, token string) {
	var keys []string
	from, to, next := page(token, f.users/10)
	for i := from; i < to; i++ {
		keys = append(keys, fmt.Sprintf(`{"name":"migrated:user-%06d","metadata":{}}`, i*10))
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"success":true,"errors":[],"messages":[],"result":[%s],"result_info":{"count":%d,"cursor":%q}}`, strings.Join(keys, ","), len(keys), next)
}

// TestScanOfALargeFleet counts the calls of a scan: pages of listings, and one HEAD for each user. DBMIGRATE_FLEET=100000 makes it as large as
// docs/performance.md says.
func TestScanOfALargeFleet(t *testing.T) {
	users := 3000
	if n, err := strconv.Atoi(os.Getenv("DBMIGRATE_FLEET")); err == nil {
		users = n
	}
	f := &largeFleet{users: users, calls: map[string]int{}}
	server := httptest.NewServer(f)
	defer server.Close()
	cmd := exec.Command("dbmigrate", "scan", "--output", "json")
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "XDG_STATE_HOME="+t.TempDir(), "CLOUDFLARE_ACCOUNT_ID=acc", "CLOUDFLARE_API_TOKEN=t", "CLOUDFLARE_API_BASE_URL="+server.URL,
		"AWS_ACCESS_KEY_ID=id", "AWS_SECRET_ACCESS_KEY=key", "AWS_ENDPOINT_URL_S3="+server.URL, "DBMIGRATE_BUCKET=users", "DBMIGRATE_KV_NAMESPACE=ns",
		"DBMIGRATE_WORKER_URL="+server.URL)
	var talk strings.Builder
	cmd.Stderr = &talk
	began := time.Now()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &talk)
	}
	if lines := strings.Count(string(out), "\n"); lines != users+1 {
		t.Errorf("%d lines for %d users", lines, users)
	}
	pages := func(n int) int { return (n + fleetPage - 1) / fleetPage }
	for call, want := range map[string]int{"R2 list": pages(users), "R2 head": users, "KV list": pages(users / 10)} {
		if f.calls[call] != want {
			t.Errorf("%s: %d calls, want %d", call, f.calls[call], want)
		}
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	t.Logf("%d users: %v, peak memory %d MB, %s", users, f.calls, usage.Maxrss*1024/1_000_000, time.Since(began).Round(time.Second))
}
