package e2e

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
)

// killTable gathers how each disturbed command ended. Its methods may be called from any goroutine.
type killTable struct {
	walks   []walk
	section string // of the page

	mu   sync.Mutex
	rows []killRow
}

type killRow struct {
	walk, point string
	n           int
	ends        []string // for each way: of the disturbed command, and of the same command after it
}

func (k *killTable) add(walk string, n int, point string, ends []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.rows = append(k.rows, killRow{walk, point, n, ends})
}

// markdown has a row for each request of each command, and a column for each way.
func (k *killTable) markdown() string {
	var b strings.Builder
	fmt.Fprintf(
		&b,
		"%d points of %d commands in %d ways: %d runs.\n\n| command | request |",
		len(k.rows),
		len(k.walks),
		len(ways),
		len(k.rows)*len(ways),
	)
	for _, way := range ways {
		fmt.Fprintf(&b, " %s |", way.name)
	}
	fmt.Fprintf(&b, "\n|%s\n", strings.Repeat("---|", len(ways)+2))
	slices.SortFunc(k.rows, func(a, b killRow) int { return k.order(a) - k.order(b) })
	for _, r := range k.rows {
		fmt.Fprintf(&b, "| %s | %d %s | %s |\n", r.walk, r.n+1, r.point, strings.Join(r.ends, " | "))
	}
	return b.String()
}

func (k *killTable) order(r killRow) int {
	return 1000*slices.IndexFunc(k.walks, func(w walk) bool { return w.name == r.walk }) + r.n
}

// gather walks the points beside one another. A parallel walk runs when the body of the test has returned, so
// the table is published by a cleanup.
func (k *killTable) gather(
	t *testing.T,
	publish func(t testing.TB, section, text string),
	points []point,
	walk func(t *testing.T, p point) []string,
) {
	t.Cleanup(func() { publish(t, k.section, k.markdown()) })
	for _, p := range points {
		t.Run(fmt.Sprintf("%s/%02d %s", p.walk.name, p.n, p.name), func(t *testing.T) {
			t.Parallel()
			k.add(p.walk.name, p.n, p.name, walk(t, p))
		})
	}
}

// TestATableHasTheRowsOfItsWalks: also of those that ran when the body of their test had returned.
func TestATableHasTheRowsOfItsWalks(t *testing.T) {
	var told string
	points := []point{{walk: walked[0], name: "R2 HEAD"}, {walk: walked[1], n: 1, name: "R2 PUT"}}
	t.Run("walks", func(t *testing.T) {
		table := killTable{walks: walked, section: "none"}
		table.gather(t, func(_ testing.TB, _, text string) { told = text }, points,
			func(*testing.T, point) []string { return make([]string, len(ways)) })
	})
	for _, want := range []string{"2 points of", "| migrate | 1 R2 HEAD |", "| migrate again | 2 R2 PUT |"} {
		if !strings.Contains(told, want) {
			t.Errorf("the table lacks %q:\n%s", want, told)
		}
	}
}
