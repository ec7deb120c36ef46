package scanlog

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

var (
	scope = Scope{
		Endpoint: "https://acc.r2.cloudflarestorage.com",
		Bucket:   "users",
		Layout:   userdb.DefaultLayout,
	}
	start = time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)
	every = Window{Apart: time.Hour, Back: 90 * 24 * time.Hour}
)

func open(t *testing.T, path string) *History {
	t.Helper()
	h, err := Open(context.Background(), path, scope)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// told records scans at the given times after start and returns the file.
func told(t *testing.T, scans ...struct {
	at     time.Duration
	prefix string
	sizes  map[string]int64
}) *History {
	t.Helper()
	h := open(t, filepath.Join(t.TempDir(), "history with a ?.sqlite"))
	for i, s := range scans {
		if err := h.Record(context.Background(), Scan{Run: fmt.Sprint(i), At: start.Add(s.at), Prefix: s.prefix}, SizesOf(s.sizes)); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

type seen = struct {
	at     time.Duration
	prefix string
	sizes  map[string]int64
}

func trends(t *testing.T, h *History, w Window) map[string]Trend {
	t.Helper()
	all := map[string]Trend{}
	if err := h.Trends(context.Background(), w, func(user string, tr Trend) { all[user] = tr }); err != nil {
		t.Fatal(err)
	}
	return all
}

func sizesOf(tr Trend) string {
	var out []string
	for _, p := range tr.Points {
		out = append(out, fmt.Sprint(p.Bytes))
	}
	return strings.Join(out, " ")
}

const day = 24 * time.Hour

func TestTrends(t *testing.T) {
	h := told(
		t,
		seen{0, "", map[string]int64{"steady": 5, "grows": 10, "leaves": 7}},
		seen{day, "", map[string]int64{"steady": 5, "grows": 20, "leaves": 7}},
		seen{
			day + 10*time.Minute,
			"",
			map[string]int64{"steady": 5, "grows": 25, "leaves": 7},
		}, // too near: the newer one counts
		seen{
			2 * day,
			"gr",
			map[string]int64{"grows": 40},
		}, // looked at nobody else
		seen{3 * day, "", map[string]int64{"steady": 5, "grows": 80, "new": 1}},
	)
	all := trends(t, h, every)
	for user, want := range map[string]string{"steady": "5 5 5", "grows": "10 25 40 80", "leaves": "", "new": "1"} {
		if got := sizesOf(all[user]); got != want {
			t.Errorf("%s: %q, want %q", user, got, want)
		}
	}
	if got := sizesOf(trends(t, h, Window{Apart: time.Hour, Back: 36 * time.Hour})["grows"]); got != "40 80" {
		t.Errorf("of the last 36 hours: %q", got)
	}
	total, err := h.Total(context.Background(), every)
	if err != nil || sizesOf(total) != "22 37 86" {
		t.Errorf("total %q, %v", sizesOf(total), err)
	}
}

// TestComeBack: a file that went away and came back is another file.
func TestComeBack(t *testing.T) {
	h := told(
		t,
		seen{0, "", map[string]int64{"a": 9}},
		seen{day, "", nil},
		seen{2 * day, "", map[string]int64{"a": 9}},
	)
	if got := sizesOf(trends(t, h, every)["a"]); got != "9" {
		t.Errorf("%q", got)
	}
}

func TestPrefixesAreThinnedTogether(t *testing.T) {
	h := told(
		t,
		seen{0, "", map[string]int64{"ab": 1}},
		seen{time.Minute, "a", map[string]int64{"ab": 2}},
		seen{2 * time.Minute, "ab", map[string]int64{"ab": 3}},
	)
	if got := sizesOf(trends(t, h, every)["ab"]); got != "3" {
		t.Errorf("three scans within two minutes count as %q", got)
	}
}

func TestTrendArithmetic(t *testing.T) {
	points := func(sizes ...int64) (tr Trend) {
		for i, n := range sizes {
			tr.Points = append(tr.Points, Point{start.Add(time.Duration(i) * day), n})
		}
		return tr
	}
	if got := points(10, 200, 50, 100, 100).Over(100); got != 2 {
		t.Errorf("over: %d", got)
	}
	// 100 a day is 700 a week; from 400 to 1,000 is 6 days.
	perWeek, known := points(100, 200, 300, 400).PerWeek()
	if !known || math.Abs(perWeek-700) > 1e-6 {
		t.Errorf("per week %f, %v", perWeek, known)
	}
	after, crosses := points(100, 200, 300, 400).Crosses(1000, 30*day)
	if !crosses || (after-6*day).Abs() > time.Second {
		t.Errorf("crosses after %v, %v", after, crosses)
	}
	for name, tr := range map[string]Trend{"over already": points(1000, 1100), "shrinks": points(500, 400), "stands": points(500, 500), "too slow": points(100, 101), "one scan": points(900), "none": {}} {
		if after, crosses := tr.Crosses(1000, 30*day); crosses {
			t.Errorf("%s: crosses after %v", name, after)
		}
	}
	if _, known := (Trend{Points: []Point{{start, 1}, {start.Add(23 * time.Hour), 2}}}).PerWeek(); known {
		t.Error("less than a day is no trend")
	}
}

func TestRepetitionChangesNothing(t *testing.T) {
	h := told(t, seen{0, "", map[string]int64{"a": 1}})
	if err := h.Record(context.Background(), Scan{Run: "0", At: start.Add(day)}, SizesOf(map[string]int64{"a": 2})); err != nil {
		t.Fatal(err)
	}
	if got := sizesOf(trends(t, h, every)["a"]); got != "1" {
		t.Errorf("%q", got)
	}
}

// TestForget: what old scans saw goes, what still holds stays.
func TestForget(t *testing.T) {
	h := told(t,
		seen{0, "", map[string]int64{"steady": 5, "grows": 1, "gone": 1}},
		seen{day, "", map[string]int64{"steady": 5, "grows": 2}},
		seen{Keep + 12*time.Hour, "", map[string]int64{"steady": 5, "grows": 3}})
	all := trends(t, h, Window{Back: 10 * Keep})
	if got := sizesOf(all["steady"]) + "; " + sizesOf(all["grows"]); got != "5 5; 2 3" {
		t.Errorf("%q", got)
	}
	var steps int
	if err := h.db.QueryRow("SELECT count(*) FROM steps").Scan(&steps); err != nil || steps != 4 {
		t.Errorf("%d steps are kept, %v", steps, err)
	}
}

// TestRefusals: what is no history of this bucket is refused and stays as it is, byte for byte.
func TestRefusals(t *testing.T) {
	dir := t.TempDir()
	whole := filepath.Join(dir, "whole")
	h := open(t, whole)
	sizes := map[string]int64{}
	for i := range 2000 {
		sizes[fmt.Sprintf("user-%d", i)] = int64(i)
	}
	if err := h.Record(context.Background(), Scan{Run: "1", At: start}, SizesOf(sizes)); err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(whole)
	if err != nil {
		t.Fatal(err)
	}
	other, later := append([]byte(nil), good...), append([]byte(nil), good...)
	copy(other[68:72], []byte{0, 0, 0, 0}) // application_id
	later[63] = 9                          // user_version
	torn := append([]byte(nil), good...)
	for i := 4096 * 3; i < len(torn); i++ {
		torn[i] ^= 0x5a
	}
	for name, test := range map[string]struct {
		content []byte
		scope   Scope
		says    string
	}{
		"text":        {[]byte("alice,1000\n"), scope, "history"},
		"other":       {other, scope, "no history of scans"},
		"later":       {later, scope, "version 9"},
		"torn":        {torn, scope, "history"},
		"cut":         {good[:len(good)/2], scope, "history"},
		"bucket":      {good, Scope{scope.Endpoint, "others", scope.Layout}, "bucket users"},
		"layout":      {good, Scope{scope.Endpoint, scope.Bucket, "db/{user}.sqlite"}, "layout {user}/database.sqlite"},
		"other place": {good, Scope{"https://other", scope.Bucket, scope.Layout}, "at https://acc"},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, test.content, 0o600); err != nil {
			t.Fatal(err)
		}
		h, err := Open(context.Background(), path, test.scope)
		if err == nil {
			h.Close()
			t.Errorf("%s: not refused", name)
			continue
		}
		var e *userdb.Error
		if !errors.As(err, &e) || e.Kind != userdb.Usage || e.Hint == "" ||
			!strings.Contains(err.Error(), test.says) ||
			!strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != string(test.content) {
			t.Errorf("%s: the file was changed, %v", name, err)
		}
	}
}

// TestTwoAtOnce: processes that begin a history and record at the same time all succeed.
func TestTwoAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "history")
	var wg sync.WaitGroup
	for i := range 6 {
		wg.Go(func() {
			h, err := Open(context.Background(), path, scope)
			if err != nil {
				t.Error(err)
				return
			}
			defer h.Close()
			if err := h.Record(context.Background(), Scan{Run: fmt.Sprint(i), At: start.Add(time.Duration(i) * time.Hour)}, SizesOf(map[string]int64{"a": int64(i)})); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if total, err := open(t, path).Total(context.Background(), every); err != nil || len(total.Points) != 6 {
		t.Errorf("%d scans, %v", len(total.Points), err)
	}
}

// A place that takes no more is told apart from a file that is to blame: a full disk has its kind, and both
// have a way out that leaves the file where it is. What was remembered before stays.
func TestAPlaceThatTakesNoMore(t *testing.T) {
	many := map[string]int64{}
	for i := range 2000 {
		many[fmt.Sprintf("user-%06d", i)] = int64(i)
	}
	for pragma, kind := range map[string]userdb.Kind{
		"PRAGMA max_page_count=8": userdb.NoSpace,
		"PRAGMA query_only=1":     userdb.Usage,
	} {
		path := filepath.Join(t.TempDir(), "h.sqlite")
		h := open(t, path)
		if err := h.Record(t.Context(), Scan{Run: "1", At: start}, SizesOf(map[string]int64{"a": 1})); err != nil {
			t.Fatal(err)
		}
		if _, err := h.db.Exec(pragma); err != nil {
			t.Fatal(err)
		}
		err := h.Record(t.Context(), Scan{Run: "2", At: start.Add(day)}, SizesOf(many))
		if !errors.Is(err, ErrUnwritable) || userdb.KindOf(err) != kind || strings.Contains(err.Error(), hintAside) ||
			!strings.Contains(err.Error(), path) {
			t.Errorf("%s: %s: %v", pragma, userdb.KindOf(err), err)
		}
		if scans := trends(t, h, every); len(scans) != 1 {
			t.Errorf("%s: %v", pragma, scans)
		}
	}
}

// A place that cannot be opened for writing is one, too.
func TestAPlaceThatCannotBeMade(t *testing.T) {
	path := filepath.Join(t.TempDir(), "h.sqlite")
	if err := os.Symlink(filepath.Join(t.TempDir(), "absent", "h.sqlite"), path); err != nil {
		t.Fatal(err)
	}
	if h, err := Open(t.Context(), path, scope); !errors.Is(err, ErrUnwritable) {
		t.Errorf("%v, %v", h, err)
	}
}
