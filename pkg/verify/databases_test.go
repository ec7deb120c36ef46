package verify

import (
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

func digestOf(userVersion int32, tables ...wire.TableDigest) wire.DatabaseDigest {
	return wire.DatabaseDigestOf(
		wire.SchemaDigest(wire.Schema{Header: wire.Header{UserVersion: userVersion}}),
		tables,
	)
}

func tableOf(name string, rows ...int64) wire.TableDigest {
	h := wire.NewTableHasher()
	for _, i := range rows {
		h.Add([]wire.Value{wire.IntValue(i)})
	}
	n, digest := h.Sum()
	return wire.NewTableDigest(name, n, digest)
}

func TestDatabases(t *testing.T) {
	base := digestOf(0, tableOf("a", 1, 2), tableOf("b", 3))
	forged := base
	forged.Database = strings.Repeat("0", 64)
	cases := []struct {
		name  string
		right wire.DatabaseDigest
		want  []string // the kinds and objects, in order
	}{
		{"equal", digestOf(0, tableOf("b", 3), tableOf("a", 1, 2)), nil},
		{
			"an empty table is the same as none",
			digestOf(0, tableOf("a", 1, 2), tableOf("b", 3), tableOf("sqlite_sequence")),
			nil,
		},
		{"missing", digestOf(0, tableOf("a", 1, 2)), []string{`missing table "b"`}},
		{"emptied", digestOf(0, tableOf("a", 1, 2), tableOf("b")), []string{`count table "b"`}},
		{
			"extra",
			digestOf(0, tableOf("a", 1, 2), tableOf("b", 3), tableOf("c", 4), tableOf("d", 4)),
			[]string{`extra table "c"`, `extra table "d"`},
		},
		{"count", digestOf(0, tableOf("a", 1, 2, 3), tableOf("b", 3)), []string{`count table "a"`}},
		{"content", digestOf(0, tableOf("a", 1, 9), tableOf("b", 3)), []string{`content table "a"`}},
		{"schema", digestOf(7, tableOf("a", 1, 2), tableOf("b", 3)), []string{"schema schema"}},
		{
			"all at once",
			digestOf(7, tableOf("a", 2, 1), tableOf("c", 3)),
			[]string{"schema schema", `content table "a"`, `missing table "b"`, `extra table "c"`},
		},
		{"only the whole", forged, []string{"content database"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, d := range Databases(base, c.right) {
				got = append(got, string(d.Kind)+" "+d.Object)
			}
			if strings.Join(got, "|") != strings.Join(c.want, "|") {
				t.Errorf("differences are %q, want %q", got, c.want)
			}
		})
	}
}

// SQLite takes "" for a name.
func TestATableWithoutANameIsThere(t *testing.T) {
	left := digestOf(0, tableOf("", 1, 2))
	if got := Databases(left, left); got != nil {
		t.Errorf("equal databases differ: %v", got)
	}
	if got := Databases(left, digestOf(0, tableOf("", 1))); len(got) != 1 || got[0].Kind != Count {
		t.Errorf("differences are %v", got)
	}
}

func TestSummary(t *testing.T) {
	left := digestOf(
		0,
		tableOf("a", 1),
		tableOf("b", 1),
		tableOf("c", 1),
		tableOf("d", 1),
		tableOf("e", 1, 2),
	)
	got := Summary(Databases(left, digestOf(0, tableOf("c", 1, 2))))
	want := `table "a" is missing on the right: 1 row; table "b" is missing on the right: 1 row; table "c": 1 row against 2 rows; and 2 more`
	if got != want {
		t.Errorf("summary is\n%s, want\n%s", got, want)
	}
	if got := Summary(nil); got != "no difference" {
		t.Errorf("summary of nothing is %q", got)
	}
}

func TestSchemas(t *testing.T) {
	long := strings.Repeat("column INTEGER, ", 50)
	left := wire.Schema{
		Header: wire.Header{UserVersion: 1, Encoding: "UTF-8", PageSize: 4096},
		Objects: []wire.Object{
			{Type: "table", Name: "a", Table: "a", SQL: "CREATE TABLE a(" + long + "x TEXT)"},
			{Type: "table", Name: "b", Table: "b", SQL: "CREATE TABLE b(x)"},
			{Type: "index", Name: "i", Table: "a", SQL: "CREATE INDEX i ON a(x)"},
		},
	}
	right := wire.Schema{
		Header: wire.Header{UserVersion: 2, Encoding: "UTF-8", PageSize: 4096},
		Objects: []wire.Object{
			{Type: "index", Name: "i", Table: "b", SQL: "CREATE INDEX i ON a(x)"},
			{Type: "table", Name: "a", Table: "a", SQL: "CREATE TABLE a(" + long + "x BLOB)"},
			{Type: "view", Name: "b", Table: "b", SQL: "CREATE VIEW b AS SELECT 1"},
		},
	}
	var got []string
	for _, d := range Schemas(left, right) {
		got = append(got, d.String())
	}
	want := []string{
		"header userVersion: 1 against 2",
		"", // checked by its parts
		`table "b" is missing on the right: "CREATE TABLE b(x)"`,
		`index "i": on table "a" against on table "b"`,
		`view "b" is extra on the right: "CREATE VIEW b AS SELECT 1"`,
	}
	if len(got) != len(want) {
		t.Fatalf("differences are %q", got)
	}
	for i := range want {
		if i == 1 {
			if !strings.Contains(got[1], "x TEXT") || !strings.Contains(got[1], "x BLOB") ||
				len(got[1]) > 250 {
				t.Errorf("the changed text is not shown shortly: %s", got[1])
			}
			continue
		}
		if got[i] != want[i] {
			t.Errorf("difference %d is %s, want %s", i, got[i], want[i])
		}
	}
	if diffs := Schemas(left, left); len(diffs) != 0 {
		t.Errorf("a schema differs from itself: %v", diffs)
	}
}

func TestShorten(t *testing.T) {
	cases := []struct {
		value wire.Value
		at    int
		want  string
	}{
		{wire.NullValue(), 0, "NULL"},
		{wire.IntValue(-5), 0, "-5"},
		{wire.RealValue(5), 0, "5.0"},
		{wire.TextValue("a\x00\xff\n"), 0, `"a\x00\xff\n"`},
		{wire.BlobValue([]byte{0, 0xab}), 0, "x'00ab'"},
		{wire.TextValue(strings.Repeat("a", 60)), 0, `"` + strings.Repeat("a", 60) + `"`},
		{wire.TextValue(strings.Repeat("a", 61)), 0, `"` + strings.Repeat("a", 60) + `"... (61 bytes)`},
		{
			wire.TextValue(strings.Repeat("a", 500) + "z" + strings.Repeat("b", 500)),
			500,
			`...[480:]"` + strings.Repeat("a", 20) + "z" + strings.Repeat("b", 39) + `"... (1001 bytes)`,
		},
		{
			wire.TextValue(strings.Repeat("a", 500) + "z"),
			500,
			`...[441:]"` + strings.Repeat("a", 59) + `z" (501 bytes)`,
		},
	}
	for _, c := range cases {
		if got := Shorten(c.value, c.at); got != c.want {
			t.Errorf("got %s, want %s", got, c.want)
		}
	}
}
