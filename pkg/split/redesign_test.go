package split_test

import (
	"context"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/split"
)

// TestRedesignedIndexes: what docs/split.md tells owners of an FTS5 index over other content to do can be
// split, and comes back whole: the index stays in the file, and its rows name hot rows and cold ones.
func TestRedesignedIndexes(t *testing.T) {
	for name, index := range map[string]string{
		"content of its own":  "fts5(body)",
		"prefixes and a rank": "fts5(body, prefix='2 3', tokenize='porter')",
	} {
		t.Run(name, func(t *testing.T) {
			path := database(t,
				"CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT, archived INTEGER)",
				"CREATE VIRTUAL TABLE search USING "+index,
				"INSERT INTO notes (body, archived) VALUES ('winter one', 0), ('winter two', 1), ('summer', 1)",
				"INSERT INTO search (rowid, body) SELECT id, body FROM notes",
			)
			p := policy(t, "[tables.notes]\nwhere = 'archived'")
			if _, err := split.NewPlan(context.Background(), path, p, at); err != nil {
				t.Fatal(err)
			}
			hot, cold := parts(t, path, p)
			const found = "SELECT group_concat(rowid) FROM (SELECT rowid FROM search WHERE search MATCH 'winter' ORDER BY rowid)"
			wantRows(t, hot, found, "1,2")
			wantRows(t, hot, "SELECT group_concat(id) FROM notes", "1")
			wantRows(t, cold, "SELECT group_concat(id) FROM notes", "2,3")
			whole, err := union(t, hot, cold)
			if err != nil {
				t.Fatal(err)
			}
			wantRows(t, whole, found, "1,2")
			if digest(t, whole).Database != digest(t, path).Database {
				t.Error("together the parts are another database")
			}
		})
	}
}
