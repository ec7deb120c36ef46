package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
)

func TestQuantile(t *testing.T) {
	ms := func(values ...int) []time.Duration {
		var all []time.Duration
		for _, v := range values {
			all = append(all, time.Duration(v)*time.Millisecond)
		}
		return all
	}
	for name, test := range map[string]struct {
		values []time.Duration
		q      float64
		want   time.Duration
	}{
		"nothing":         {nil, 0.5, 0},
		"one":             {ms(7), 0.99, 7 * time.Millisecond},
		"median unsorted": {ms(9, 1, 5), 0.5, 5 * time.Millisecond},
		"p99 of few":      {ms(1, 2, 3, 4), 0.99, 4 * time.Millisecond},
		"smallest":        {ms(3, 2, 1), 0, time.Millisecond},
	} {
		if got := quantile(test.values, test.q); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// A machine that is ten times slower in one round must not change the ratio.
func TestMedianRatioIsOfThePairs(t *testing.T) {
	ours := []time.Duration{2 * time.Second, 20 * time.Second, 2 * time.Second}
	theirs := []time.Duration{time.Second, 10 * time.Second, time.Second}
	if got := medianRatio(ours, theirs); got != 2 {
		t.Errorf("ratio %v", got)
	}
	if got := medianRatio(nil, nil); got != 0 {
		t.Errorf("ratio of nothing: %v", got)
	}
}

func TestUnionCountsOverlapsOnce(t *testing.T) {
	at := func(second int) time.Time { return time.Unix(int64(second), 0) }
	i := intervals{all: [][2]time.Time{{at(10), at(12)}, {at(0), at(4)}, {at(1), at(2)}, {at(3), at(6)}}}
	if got := i.union(); got != 8*time.Second {
		t.Errorf("union %v, want 8s", got)
	}
}

func TestPublishReplacesOneSection(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	before := "# Page\n<!-- bench:one -->\nold\n<!-- end -->\nprose\n<!-- bench:two -->\nkept\n<!-- end -->\n"
	if err := os.WriteFile(page, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	w := &world{options: options{doc: page}}
	if err := w.publish("one", "new\n"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	want := "# Page\n<!-- bench:one -->\n\nnew\n\n<!-- end -->\nprose\n<!-- bench:two -->\nkept\n<!-- end -->\n"
	if string(got) != want {
		t.Errorf("page:\n%s", got)
	}
	if err := w.publish("three", "new"); err == nil {
		t.Error("a section that the page does not have was published")
	}
}

func TestStatusFieldReadsThisProcess(t *testing.T) {
	peak, err := statusField(os.Getpid(), "VmHWM")
	if err != nil || peak < 1<<20 {
		t.Errorf("peak %d (%v)", peak, err)
	}
	if _, err := statusField(os.Getpid(), "VmNothing"); err == nil {
		t.Error("a field that is not there was read")
	}
}

func TestBlockSizeFillsABlockWithinLimits(t *testing.T) {
	for each, want := range map[time.Duration]int{0: 500, time.Microsecond: 500, blockTime / 100: 100, blockTime: 5, time.Hour: 5} {
		if got := blockSize(each); got != want {
			t.Errorf("requests of %v: a block of %d, want %d", each, got, want)
		}
	}
}

func TestABlockCountsOnlyWhenTheExpectedSideAnsweredAllOfIt(t *testing.T) {
	var status int
	var answer string
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/test/repeat/25/api/users/u/query" {
			status = http.StatusNotFound
		}
		rw.WriteHeader(status)
		fmt.Fprint(rw, answer)
	}))
	defer server.Close()
	w := &world{cloud: &stack.Stack{URL: server.URL}}
	for _, test := range []struct {
		name   string
		status int
		answer string
		counts bool
	}{
		{"all by the file", 200, `{"answered":25,"side":"file"}`, true},
		{"all by the store", 200, `{"answered":25,"side":"store"}`, false},
		{"some by the store", 200, `{"answered":25,"side":"file and store"}`, false},
		{"too few", 200, `{"answered":2,"side":"file"}`, false},
		{"an error", 503, `{"answered":25,"side":"file"}`, false},
	} {
		status, answer = test.status, test.answer
		if _, err := w.block(t.Context(), "u", appRequests[0], 1, "file", 25); (err == nil) != test.counts {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}

func TestLongLinesOfAPageAreBroken(t *testing.T) {
	long := strings.Repeat("word ", 30)
	table := "| " + long + "|\n"
	got := wrapped(table + long + "\nshort\n")
	for line := range strings.Lines(strings.TrimPrefix(got, table)) {
		if len(strings.TrimSuffix(line, "\n")) > pageColumns {
			t.Errorf("%q", line)
		}
	}
	if !strings.HasPrefix(got, table) || !strings.HasSuffix(got, "word\nshort\n") ||
		len(strings.Fields(got)) != len(strings.Fields(table+long+"short")) {
		t.Errorf("got %q", got)
	}
}
