package e2e

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/docpage"
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

func (k *killTable) publish(t *testing.T) { docpage.Publish(t, k.section, k.markdown()) }
