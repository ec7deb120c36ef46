package migrate_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/gc"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
)

// TestYoungFilesAreKept: gc frees a file when it was kept for as long as the operator says, and no earlier.
func TestYoungFilesAreKept(t *testing.T) {
	const month = 30 * 24 * time.Hour
	synctest.Test(t, func(t *testing.T) {
		x := newWalk(t)
		x.migrate()
		found := inspect.Found{User: alice, Flagged: true, Flag: flagOf(t.Context(), x.engine())}
		for _, c := range []struct {
			wait time.Duration
			free bool
		}{{0, false}, {month - time.Hour, false}, {2 * time.Hour, true}} {
			time.Sleep(c.wait)
			item, r := x.engine().GarbageCollector().Look(t.Context(), found, month)
			if r.Err() != nil || (item != nil) != c.free || !c.free && !strings.Contains(r.Reason, "kept for") {
				t.Errorf("after %s more: %+v, %q, %v", c.wait, item, r.Reason, r.Err())
			}
			if why, err := gc.Explain(t.Context(), x.engine().Inspect(), alice, month); err != nil || why.Free != c.free {
				t.Errorf("after %s more, explained: %+v, %v", c.wait, why, err)
			}
		}
	})
}
