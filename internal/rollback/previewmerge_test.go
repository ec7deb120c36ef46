package rollback

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// splitUser splits a user into hot and cold rows, and gives the cold half a row under the key of a hot one.
func splitUser(t *testing.T, w *world.World, e *migrate.Engine, conflict bool) {
	t.Helper()
	path, policy := filepath.Join(t.TempDir(), "a.sqlite"), filepath.Join(t.TempDir(), "cold.toml")
	db, err := sql.Open("sqlite", path)
	if err == nil {
		_, err = db.Exec("CREATE TABLE items (id INTEGER PRIMARY KEY AUTOINCREMENT, old); INSERT INTO items (old) VALUES (1), (0)")
	}
	if err == nil {
		err = db.Close()
	}
	if err == nil {
		err = os.WriteFile(policy, []byte("[tables.items]\nwhere = 'old'\n"), 0o600)
	}
	content, readErr := os.ReadFile(path)
	rules, policyErr := split.LoadPolicy(policy)
	if err != nil || readErr != nil || policyErr != nil {
		t.Fatal(err, readErr, policyErr)
	}
	key := w.Layout.Key("alice")
	if _, err := w.Bucket.Put(t.Context(), key, bytes.NewReader(content), int64(len(content)), userdb.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	opts := migrate.SplitOptions{Policy: rules, At: time.Unix(1_800_000_000, 0)}
	if r := e.Split(t.Context(), "alice", opts); r.Outcome != result.OutcomeSplit {
		t.Fatalf("%s: %v", r.Outcome, r.Err())
	}
	if !conflict {
		return
	}
	err = w.Objects.Cold(t.Context(), "alice", world.Query{Write: true, Run: func(c *sql.Conn) error {
		_, err := c.ExecContext(t.Context(), "INSERT INTO items VALUES (2, 1)")
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
}

// TestPreviewTriesMerges: a dry run fails for a split user who could not go back, unless a preference
// resolves it. Of many users it says that the merge was not tried, since both halves would be downloaded.
func TestPreviewTriesMerges(t *testing.T) {
	for name, c := range map[string]struct {
		conflict bool
		users    int
		prefer   split.Prefer
		failed   int
		said     string
	}{
		"no conflict":             {false, 1, "", 0, ""},
		"a conflict":              {true, 1, "", 1, "under the same id: 2"},
		"a conflict, resolved":    {true, 1, split.PreferHot, 0, ""},
		"a conflict of too many":  {true, comparedUsers + 1, "", 0, "was not tried"},
		"no conflict of too many": {false, comparedUsers + 1, "", 0, "was not tried"},
	} {
		t.Run(name, func(t *testing.T) {
			w := world.New(t.TempDir())
			e := w.Engine("run", w.Bucket, w.Objects, w.Objects)
			splitUser(t, w, e, c.conflict)
			chosen := &connect.Chosen{Connection: &connect.Connection{Engine: e}}
			for range c.users {
				chosen.Users = append(chosen.Users, inspect.Found{User: "alice"})
			}
			lines, err := Preview(context.Background(), chosen, inspect.PreviewOptions{}, c.prefer)
			if err != nil {
				t.Fatal(err)
			}
			var totals PreviewTotals
			totals.Plans = map[inspect.Way]int{}
			for _, l := range lines {
				totals.add(l)
			}
			if said := writtenText(lines[0]); totals.Failed != c.failed || !strings.Contains(said, c.said) {
				t.Errorf("%d of %d would fail: %s", totals.Failed, len(lines), said)
			}
		})
	}
}
