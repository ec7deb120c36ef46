package main

import (
	"bytes"
	"crypto/md5"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/appdb"
	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// largeFleet is a bucket and a namespace of any size that take no room: users are numbers, one in ten has a
// flag. It answers what a scan asks for, page by page as R2 and KV do, and counts the calls.
type largeFleet struct {
	users int
	plain bool   // the files are side by side in databases/, and the listing tells their sizes
	file  []byte // everybody's, for a scan that reads files; none for one that does not
	mu    sync.Mutex
	calls map[string]int
}

const fleetPage = 1000

func (f *largeFleet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	switch {
	case strings.HasSuffix(r.URL.Path, "/keys"):
		f.count("KV list")
		f.flags(w, query.Get("prefix"), query.Get("cursor"))
	case query.Get("list-type") == "2":
		f.count("R2 list")
		f.folders(w, query.Get("continuation-token"))
	case f.file != nil:
		f.count("R2 file")
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, md5.Sum(f.file)))
		http.ServeContent(w, r, "", time.Unix(1_760_000_000, 0), bytes.NewReader(f.file))
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
	type object struct {
		Key, ETag string
		Size      int64
	}
	var answer struct {
		XMLName               xml.Name `xml:"ListBucketResult"`
		IsTruncated           bool
		NextContinuationToken string `xml:",omitempty"`
		Contents              []object
		CommonPrefixes        []folder
	}
	from, to, next := page(token, f.users)
	for i := from; i < to; i++ {
		if f.plain {
			answer.Contents = append(answer.Contents, object{
				fmt.Sprintf("databases/user-%06d.sqlite", i), fmt.Sprintf(`"%032x"`, i), int64(20_000 + i*37%4_000_000),
			})
			continue
		}
		answer.CommonPrefixes = append(answer.CommonPrefixes, folder{fmt.Sprintf("user-%06d/", i)})
	}
	answer.IsTruncated, answer.NextContinuationToken = next != "", next
	w.Header().Set("Content-Type", "application/xml")
	xml.NewEncoder(w).Encode(answer)
}

// flags are those of a user in ten, who is in the Durable Object as a whole; nobody is split.
func (f *largeFleet) flags(w http.ResponseWriter, prefix, token string) {
	var keys []string
	flagged := f.users / 10
	if prefix != userdb.FlagPrefix {
		flagged = 0
	}
	from, to, next := page(token, flagged)
	for i := from; i < to; i++ {
		keys = append(keys, fmt.Sprintf(`{"name":"migrated:user-%06d","metadata":{}}`, i*10))
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(
		w,
		`{"success":true,"errors":[],"messages":[],"result":[%s],"result_info":{"count":%d,"cursor":%q}}`,
		strings.Join(keys, ","),
		len(keys),
		next,
	)
}

// TestScanOfALargeFleet counts the calls of a scan: pages of listings, one of them for the flags of split
// users, and one HEAD for each user. A whole run makes it as large as docs/notes/performance.md says.
func TestScanOfALargeFleet(t *testing.T) {
	users := effort.Amount(t, "users", 3000, 100_000)
	f := &largeFleet{users: users, calls: map[string]int{}}
	began := time.Now()
	out, peak := f.scan(t)
	if lines := strings.Count(out, "\n"); lines != users+1 {
		t.Errorf("%d lines for %d users", lines, users)
	}
	pages := func(n int) int { return (n + fleetPage - 1) / fleetPage }
	for call, want := range map[string]int{"R2 list": pages(users), "R2 head": users, "KV list": pages(users/10) + 1} {
		if f.calls[call] != want {
			t.Errorf("%s: %d calls, want %d", call, f.calls[call], want)
		}
	}
	t.Logf(
		"%d users: %v, peak memory %d MB, %s",
		users,
		f.calls,
		peak/1_000_000,
		time.Since(began).Round(time.Second),
	)
}

// TestMemoryOfALargeScan: what a scan keeps does not grow with the fleet. The second scan meets a history of
// everybody, and its sizes.
func TestMemoryOfALargeScan(t *testing.T) {
	users := effort.Amount(t, "users", 100_000, 1_000_000)
	history := filepath.Join(t.TempDir(), "history.sqlite")
	f := &largeFleet{users: users, plain: true, calls: map[string]int{}}
	server := httptest.NewServer(f)
	defer server.Close()
	for _, format := range []string{"json", "table"} {
		var printed lineCount
		peak := scanTo(t, server.URL, &printed, "--layout", "databases/{user}.sqlite", "--history", history, "--output", format)
		if int(printed) != users+1 {
			t.Errorf("%s: %d lines for %d users", format, printed, users)
		}
		// The program itself takes 35 MB.
		if most := int64(mostMemory) * int64(users) / 1_000_000; peak > max(most, mostMemory*9/20) {
			t.Errorf("%s: %d users take %d bytes", format, users, peak)
		}
		t.Logf("%s: %d users, %v: peak memory %d MB", format, users, f.calls, peak/1_000_000)
	}
}

// TestMemoryOfADeepScan: what a scan that reads the files holds grows with how many it reads at once, not
// with the number of users. A whole run makes the second fleet as large as docs/notes/performance.md says.
func TestMemoryOfADeepScan(t *testing.T) {
	path := filepath.Join(t.TempDir(), "user.sqlite")
	if _, err := appdb.Build(t.Context(), path, 1, appdb.S); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	many := effort.Amount(t, "users", 96, 1000)
	var peaks []int64
	for _, users := range []int{16, many} {
		f := &largeFleet{users: users, file: file, calls: map[string]int{}}
		out, peak := f.scan(t, "--deep")
		if ready := strings.Count(out, `"verdict":"ready"`); ready != users {
			t.Fatalf("%d of %d users are ready: %.500s", ready, users, out)
		}
		peaks = append(peaks, peak)
	}
	t.Logf(
		"files of %d bytes, 8 at once: peak memory %d MB with 16 users, %d MB with %d",
		len(file),
		peaks[0]/1_000_000,
		peaks[1]/1_000_000,
		many,
	)
	// The collector's timing alone is worth some megabytes; what grows with the users would hold the files,
	// or a good part of them.
	if room := int64(many-16) * int64(len(file)) / 4; peaks[1] > peaks[0]+room {
		t.Errorf(
			"%d users take %d bytes more than 16: less than %d was allowed",
			many,
			peaks[1]-peaks[0],
			room,
		)
	}
}

// scan runs the program against the fleet and says how much memory it had at most.
func (f *largeFleet) scan(t *testing.T, flags ...string) (stdout string, peak int64) {
	t.Helper()
	server := httptest.NewServer(f)
	defer server.Close()
	var out strings.Builder
	peak = scanTo(t, server.URL, &out, append([]string{"--output", "json"}, flags...)...)
	return out.String(), peak
}

// scanTo runs the program against the servers at url.
func scanTo(t *testing.T, url string, out io.Writer, flags ...string) (peak int64) {
	t.Helper()
	cmd := exec.Command("dbmigrate", append([]string{"scan"}, flags...)...)
	cmd.Dir = t.TempDir()
	cmd.Env = append(
		os.Environ(),
		"XDG_STATE_HOME="+t.TempDir(),
		"CLOUDFLARE_ACCOUNT_ID=acc",
		"CLOUDFLARE_API_TOKEN=t",
		"CLOUDFLARE_API_BASE_URL="+url,
		"AWS_ACCESS_KEY_ID=id",
		"AWS_SECRET_ACCESS_KEY=key",
		"AWS_ENDPOINT_URL_S3="+url,
		"DBMIGRATE_BUCKET=users",
		"DBMIGRATE_KV_NAMESPACE=ns",
		"DBMIGRATE_WORKER_URL="+url,
	)
	var talk strings.Builder
	cmd.Stdout, cmd.Stderr = out, &talk
	peak, err := peakOf(t, cmd)
	if err != nil {
		t.Fatalf("%v: %s", err, &talk)
	}
	return peak
}

// highWater is the most memory that the process had so far. (Of a child that ended, the kernel reports no
// less than its parent had.)
func highWater(pid int) int64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	kib, _ := strconv.ParseInt(strings.TrimSpace(strings.SplitN(after, " kB", 2)[0]), 10, 64)
	return kib << 10
}
