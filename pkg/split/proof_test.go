package split

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/capi"
)

// What the parts lose, or have instead, is named by table, key, column and both values.
func TestDifferencesOfTheProofAreNamed(t *testing.T) {
	schema := []string{
		"CREATE TABLE notes(id INTEGER PRIMARY KEY, text)",
		"CREATE TABLE keyed(k TEXT PRIMARY KEY, v REAL) WITHOUT ROWID",
		"CREATE TABLE same(a)",
		"INSERT INTO same VALUES(1)",
		"INSERT INTO notes VALUES(1, 'one'), (2, 'two'), (3, 'three')",
		"INSERT INTO keyed VALUES('a', 1.5), ('b', 2.5)",
	}
	for _, c := range []struct {
		change string
		names  []string
	}{
		{"SELECT 1", nil},
		{"UPDATE notes SET text = x'32' WHERE id = 2", []string{`"notes" row 2 column "text"`, "two", "32"}},
		{"DELETE FROM notes WHERE id = 3", []string{`"notes" row 3 is missing`}},
		{"INSERT INTO keyed VALUES('c', 9.0)", []string{`"keyed" row`, "is extra", "9"}},
		{"UPDATE keyed SET v = 2.25 WHERE k = 'b'", []string{`"keyed" row`, `column "v"`, "2.5", "2.25"}},
	} {
		dir := t.TempDir()
		f := parts{source: filepath.Join(dir, "source"), union: filepath.Join(dir, "union")}
		fill(t, f.source, schema...)
		fill(t, f.union, append(schema, c.change)...)
		want, err := digestOf(t.Context(), f.source)
		if err != nil {
			t.Fatal(err)
		}
		got, err := digestOf(t.Context(), f.union)
		if err != nil {
			t.Fatal(err)
		}
		lines := differences(t.Context(), f, want, got)
		text := strings.Join(lines, "\n")
		if (len(lines) > 0) != (c.names != nil) || strings.Contains(text, `"same"`) {
			t.Errorf("%s: %s", c.change, text)
		}
		for _, name := range c.names {
			if !strings.Contains(lines[0], name) {
				t.Errorf("%s: %q is not in %s", c.change, name, text)
			}
		}
	}
}

func fill(t *testing.T, path string, statements ...string) {
	t.Helper()
	conn, err := capi.Open(path, capi.Create)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, statement := range statements {
		if err := conn.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}
