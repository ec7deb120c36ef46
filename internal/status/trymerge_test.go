package status_test

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/status"
	"github.com/dbmigrate/dbmigrate/internal/testkit/dbfile"
	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// By its phases a split user has no problem. The merge on copies finds the key that is on both sides.
func TestTryMergeFindsConflicts(t *testing.T) {
	const alice userdb.UserID = "alice"
	w := world.New(t.TempDir())
	path := dbfile.Make(t,
		"CREATE TABLE t(id TEXT PRIMARY KEY, old INTEGER)", "INSERT INTO t VALUES('a', 0), ('b', 1)")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	key := w.Layout.Key(alice)
	if _, err := w.Bucket.Put(t.Context(), key, bytes.NewReader(content), int64(len(content)), userdb.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	rules := filepath.Join(t.TempDir(), "cold.toml")
	if err := os.WriteFile(rules, []byte("[tables.t]\nwhere = 'old'"), 0o600); err != nil {
		t.Fatal(err)
	}
	policy, err := split.LoadPolicy(rules)
	if err != nil {
		t.Fatal(err)
	}
	e := w.Engine("run", w.Bucket, w.Objects, w.Objects)
	if r := e.Split(t.Context(), alice, migrate.SplitOptions{Policy: policy, At: time.Unix(1_800_000_000, 0)}); r.Err() != nil {
		t.Fatal(r.Err())
	}
	problem := func() string {
		state, err := e.Inspect().Status(t.Context(), alice)
		if err != nil || state.Serves != userfile.SideSplit {
			t.Fatalf("%+v, %v", state, err)
		}
		r := &status.Report{Lines: []status.Line{{State: state}}}
		if err := r.TryMerge(t.Context(), e); err != nil {
			t.Fatal(err)
		}
		return r.Lines[0].Problem
	}
	if p := problem(); p != "" {
		t.Errorf("after the split: %s", p)
	}
	err = w.Objects.Cold(t.Context(), alice, world.Query{Write: true, Run: func(c *sql.Conn) error {
		_, err := c.ExecContext(context.Background(), "INSERT INTO t VALUES('a', 7)")
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
	if p := problem(); !strings.Contains(p, "a row stands on both sides under the same id: 'a'") {
		t.Errorf("a key on both sides: %q", p)
	}
}
