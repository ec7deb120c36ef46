package fleet

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/result"
)

// A rehearsal in which somebody was rehearsed and nobody failed is written down, and later runs tell its age.
// Before it there is nothing to tell.
func TestAgeOfTheRehearsal(t *testing.T) {
	w := world.New(t.TempDir())
	e := w.Engine("run", w.Bucket, w.Objects, w.Objects)
	age := func(s Summary) bool {
		t.Helper()
		path := filepath.Join(t.TempDir(), "run.prom")
		watch := &Watch{
			MetricsFile: path,
			Traffic:     NewTraffic(),
			Getenv:      func(string) string { return t.TempDir() },
			Warn:        t.Logf,
		}
		watch.Begin(Begin{Engine: e, Action: s.Action, At: time.Now(), InFlight: func() int { return 0 }})
		watch.rehearsals.read(t.Context())
		watch.End(&s)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(text), "\ndbmigrate_rehearsal_age_seconds ")
	}
	some := map[result.Outcome]int{result.OutcomeRehearsed: 2}
	for _, c := range []struct {
		name string
		s    Summary
		told bool
	}{
		{"a rollback", Summary{Action: result.ActionRollback, Outcomes: some}, false},
		{"a rehearsal of nobody", Summary{Action: result.ActionRehearse}, false},
		{"one that failed", Summary{Action: result.ActionRehearse, Outcomes: some, Exit: ExitFailed}, false},
		{"one that did not", Summary{Action: result.ActionRehearse, Outcomes: some}, true},
		{"a migrate after it", Summary{Action: result.ActionMigrate}, true},
	} {
		if got := age(c.s); got != c.told {
			t.Errorf("%s: told %v, want %v", c.name, got, c.told)
		}
	}
}
