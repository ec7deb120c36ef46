package property

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/docpage"
	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harddb"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// TestHardDatabasesComeBackOrAreRefused takes databases from seeds: each comes back from its Durable Object
// exactly as it went in, or is refused for the right reason with nothing changed. A whole run takes ten times
// as many.
func TestHardDatabasesComeBackOrAreRefused(t *testing.T) {
	const first, wholeSeeds = 5000, 240
	var ends ends
	t.Cleanup(
		func() { docpage.Publish(t, "hard", ends.markdown(first, wholeSeeds)) },
	) // when the last of them has ended
	for _, n := range effort.Numbered(t, "seeds", wholeSeeds, 5) {
		seed := first + n
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "original.sqlite")
			made, err := harddb.Build(t.Context(), path, uint64(seed))
			if err != nil {
				t.Fatal(err)
			}
			u := newUser(t, fmt.Sprintf("seed-%d", seed))
			defer func() {
				if t.Failed() {
					t.Logf("seed %d is %s", seed, made)
				}
			}()
			if made.Refusal != "" {
				mustRefuse(u, path, made.Refusal)
				ends.add("refused, untouched: `" + string(made.Refusal) + "`")
			} else {
				mustComeBack(u, path, made.Virtual)
				ends.add("moved, freed, rebuilt from the Durable Object: the same")
			}
		})
	}
}

// ends counts what became of databases.
type ends struct {
	mu    sync.Mutex
	count map[string]int
}

func (e *ends) add(end string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.count == nil {
		e.count = map[string]int{}
	}
	e.count[end]++
}

func (e *ends) markdown(first, seeds int) string {
	text := fmt.Sprintf(
		"Seeds %d to %d.\n\n| what became of it | databases |\n|---|---|\n",
		first,
		first+seeds-1,
	)
	for _, end := range slices.SortedFunc(maps.Keys(e.count), func(a, b string) int { return cmp.Or(e.count[b]-e.count[a], strings.Compare(a, b)) }) {
		text += fmt.Sprintf("| %s | %d |\n", end, e.count[end])
	}
	return text
}

// mustComeBack moves the file into the Durable Object, frees it, and lets it be rebuilt.
func mustComeBack(u user, path string, virtual []string) {
	u.Helper()
	u.upload(path)
	u.must(u.migrate(), result.OutcomeMigrated)
	u.must(u.run(result.ActionVerify, u.engine.Verify), result.OutcomeEqual)
	u.free()
	u.must(u.rollback(), result.OutcomeExported)
	back, _ := u.fetch()
	wantSame(u.T, path, back, virtual)
}

// mustRefuse wants the reason, and that no side has changed.
func mustRefuse(u user, path string, reason sqlitefile.Reason) {
	u.Helper()
	before := u.upload(path)
	r := u.migrate()
	var finding *sqlitefile.Finding
	switch {
	case r.Err() == nil:
		u.Fatalf("%s instead of a refusal for %s", r.Outcome, reason)
	case !errors.As(r.Err(), &finding):
		u.Errorf("refused without a finding: %v", r.Err())
	case finding.Reason != reason:
		u.Errorf("refused for %s, want %s: %v", finding.Reason, reason, r.Err())
	}
	if r.Open {
		u.Error("the refusal left the user open")
	}
	wantUntouched(u, before, path)
}

func wantUntouched(u user, before userdb.Object, path string) {
	u.Helper()
	if now := u.head(); now.ETag != before.ETag || !now.LastModified.Equal(before.LastModified) {
		u.Errorf("the object was touched: %+v, before %+v", now, before)
	}
	original, err := os.ReadFile(path)
	if err != nil {
		u.Fatal(err)
	}
	if _, content := u.fetch(); !bytes.Equal(content, original) {
		u.Error("the object has other bytes")
	}
	if _, flagged := u.flag(); flagged {
		u.Error("a flag was written")
	}
	if status := u.status(); status.Phase != userdb.Empty {
		u.Errorf("the Durable Object is %s", status.Phase)
	}
}
