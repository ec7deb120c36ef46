package sqlitefile

import (
	"context"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/sqltext"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// FuzzSchemaText: any CREATE text is judged, by the same rules as SQLite splits it.
func FuzzSchemaText(f *testing.F) {
	for _, sql := range []string{"CREATE TABLE t(a)", "create virtual table x using /* */ \"fts5\"(a, content='')", "CREATE UNIQUE INDEX i ON t(a)", "CREATE TABLE t([", "-- x\nCREATE VIEW v AS SELECT 1"} {
		f.Add(sql)
	}
	f.Fuzz(func(t *testing.T, sql string) {
		left := len(sql) + 1
		for token, rest := sqltext.Next(sql); token != ""; token, rest = sqltext.Next(rest) {
			if len(rest) >= left {
				t.Fatalf("no progress at %q", rest)
			}
			left = len(rest)
			_ = token.Unquote()
		}
		s, err := newScratch()
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		for _, kind := range createOrder {
			if _, err := s.check(ctx, []wire.Object{{Type: kind, Name: "t", Table: "t", SQL: sql}}); err != nil {
				t.Fatalf("no judgement: %v", err)
			}
		}
	})
}
