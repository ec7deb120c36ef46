package sqlitefile

import (
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// What a Durable Object has made and SQLite by itself cannot run is named, and nothing else is.
func TestUnusable(t *testing.T) {
	objects := []wire.Object{
		{Type: "table", Name: "t", Table: "t", SQL: "CREATE TABLE t(a)"},
		{
			Type:  "view",
			Name:  "known",
			Table: "known",
			SQL:   "CREATE VIEW known AS SELECT log10(1), power(a, 2) FROM t",
		},
		{Type: "view", Name: "unknown", Table: "unknown", SQL: "CREATE VIEW unknown AS SELECT my_own(1)"},
		{
			Type:  "view",
			Name:  "parts",
			Table: "parts",
			SQL:   "CREATE VIEW parts AS SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6",
		},
		{
			Type:  "trigger",
			Name:  "fires",
			Table: "t",
			SQL:   "CREATE TRIGGER fires AFTER INSERT ON t BEGIN SELECT my_own(new.a); END",
		},
		{
			Type:  "trigger",
			Name:  "runs",
			Table: "t",
			SQL:   "CREATE TRIGGER runs AFTER INSERT ON t BEGIN SELECT ceiling(new.a); END",
		},
	}
	problems, err := Unusable(t.Context(), objects)
	if err != nil {
		t.Fatal(err)
	}
	var named []string
	for _, p := range problems {
		named = append(named, p.Object+" "+string(p.Code))
	}
	if len(named) != 2 || named[0] != "unknown function" || named[1] != "fires function" {
		t.Errorf("%q are named: %+v", named, problems)
	}
}
