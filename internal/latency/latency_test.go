package latency

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestModelIsTheBench holds the model to the table that `make bench` measured.
func TestModelIsTheBench(t *testing.T) {
	page, err := os.ReadFile("../../docs/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	sizes := map[string]int64{"S": 1_200_000, "M": 11_700_000}
	rows := regexp.MustCompile(`(?m)^\| ([SM]) \| (read|write) \| ([0-9.]+) ms \| ([0-9.]+) ms \|`).FindAllStringSubmatch(string(page), -1)
	if len(rows) != 4 {
		t.Fatalf("docs/performance.md has %d rows", len(rows))
	}
	for _, row := range rows {
		before, _ := strconv.ParseFloat(row[3], 64)
		after, _ := strconv.ParseFloat(row[4], 64)
		writes := row[2] == "write"
		if got := Bench.Before(sizes[row[1]], writes); (got - milliseconds(before)).Abs() > time.Microsecond {
			t.Errorf("%s %s before: %v, and the bench has %v ms", row[1], row[2], got, before)
		}
		if got := Bench.After(writes); (got - milliseconds(after)).Abs() > milliseconds(after)/4 {
			t.Errorf("%s %s after: %v, and the bench has %v ms", row[1], row[2], got, after)
		}
	}
}

// TestObserved adds up a log in which other lines stand, too.
func TestObserved(t *testing.T) {
	long := `{"kind":"request","user":"` + strings.Repeat("x", 1<<17) + `"}`
	log := strings.Join([]string{
		`2026-11-29T10:00:00Z {"kind":"request","user":"a","mode":"read","side":"file","error":null,"hops":1,"retries":0,"bytesLoaded":2000000,"waitMs":0,"durationMs":12}`,
		`{"kind":"request","user":"a","mode":"write","side":"file","error":null,"hops":2,"retries":1,"bytesLoaded":4000000,"waitMs":30,"durationMs":250}`,
		`{"kind":"request","user":"b","mode":"read","side":"store","error":null,"hops":1,"retries":0,"bytesLoaded":0,"waitMs":0,"durationMs":1}`,
		`{"kind":"request","user":"b","mode":"read","side":null,"error":"unreachable","hops":1,"retries":0,"bytesLoaded":0,"waitMs":0,"durationMs":9}`,
		`{"kind":"large-file","user":"a","level":"warning","bytes":2000000}`, "not JSON", "{", long,
		`{"kind":"request","user":"gone","mode":"read","side":"store","durationMs":1}`,
	}, "\n")
	o, err := Read(strings.NewReader(log), []int64{1_000_000}, func(u string) bool { return u != "gone" })
	if err != nil {
		t.Fatal(err)
	}
	if o.Requests != 4 || o.Failed != 1 || o.Writes != 1 || o.Collided != 1 || o.Waited != 30*time.Millisecond ||
		o.File.Count() != 2 || o.File.Bytes != 6_000_000 || o.Store.Reads.Quantile(0.5) != time.Millisecond ||
		o.Classes[1].Count() != 1 || o.Classes[1].Reads.Max != 12*time.Millisecond || o.Classes[0].Count() != 0 {
		t.Errorf("%d requests, %+v", o.Requests, fmt.Sprint(o.Failed, o.Writes, o.Collided, o.Waited, o.File.Count(), o.File.Bytes))
	}
}

// TestQuantiles: they are within a twentieth.
func TestQuantiles(t *testing.T) {
	var times Times
	if times.Quantile(0.5) != 0 {
		t.Error("none have a median")
	}
	for i := range 10_000 {
		times.Add(time.Duration(i+1) * time.Millisecond)
	}
	for share, want := range map[float64]time.Duration{0.001: 10, 0.01: 100, 0.5: 5000, 0.99: 9900, 1: 10_000} {
		want *= time.Millisecond
		if got := times.Quantile(share); got < want || got > want+want/20+time.Millisecond {
			t.Errorf("%v: %v, want %v", share, got, want)
		}
	}
	times.Add(1000 * time.Hour)
	if got := times.Quantile(1); got < 2*time.Hour/10 {
		t.Errorf("the longest is %v", got)
	}
}
