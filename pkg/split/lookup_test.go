package split_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/pkg/split"
)

// TestReferencesWithoutAnIndex: what a plan costs grows with the rows and not with their square, whichever
// indexes the schema has, and the plan is the same with each. Steps are counted, so the machine does not
// matter.
func TestReferencesWithoutAnIndex(t *testing.T) {
	const orders, lines = "orders(id INTEGER PRIMARY KEY AUTOINCREMENT, old INTEGER)",
		"lines(id INTEGER PRIMARY KEY AUTOINCREMENT, order_id INTEGER REFERENCES orders(id), gone TEXT)"
	fill := func(child string) string {
		return "INSERT INTO lines(order_id, gone) SELECT " + child +
			", CASE WHEN value % 50 THEN NULL ELSE '2024' END FROM generate, (VALUES(1), (2))"
	}
	plain := fill("value")
	const rule = "crossing = 'stay-hot'\n[tables.orders]\nwhere = 'old'\n"
	text := []string{
		"CREATE TABLE orders(code TEXT COLLATE NOCASE PRIMARY KEY, old INTEGER)",
		"CREATE TABLE lines(id INTEGER PRIMARY KEY AUTOINCREMENT, order_id TEXT REFERENCES orders, gone TEXT)",
		"INSERT INTO orders SELECT 'o' || value, value % 3 = 0 FROM generate",
		fill("'O' || value"),
	}
	pairs := []string{
		"CREATE TABLE orders(shop, number, old INTEGER, PRIMARY KEY(shop, number)) WITHOUT ROWID",
		"CREATE TABLE lines(id INTEGER PRIMARY KEY AUTOINCREMENT, shop, number, gone, FOREIGN KEY(shop, number) REFERENCES orders)",
		"INSERT INTO orders SELECT 1, value, value % 3 = 0 FROM generate",
		"INSERT INTO lines(shop, number) SELECT 1, value FROM generate, (VALUES(1), (2))",
	}
	cases := []struct {
		name, rule string
		cold       int64
		schema     []string
		index      string
	}{
		{"no index", rule, 900, []string{"CREATE TABLE " + orders, "CREATE TABLE " + lines, "", plain}, ""},
		{"a full index", rule, 900, []string{"CREATE TABLE " + orders, "CREATE TABLE " + lines, "", plain},
			"CREATE INDEX i ON lines(order_id)"},
		{"a partial index", rule, 900, []string{"CREATE TABLE " + orders, "CREATE TABLE " + lines, "", plain},
			"CREATE INDEX i ON lines(order_id) WHERE gone IS NULL"},
		{"an index in another order of letters", rule, 900, text, "CREATE INDEX i ON lines(order_id)"},
		{"numbers as texts", rule, 900, []string{
			"CREATE TABLE " + orders,
			"CREATE TABLE lines(id INTEGER PRIMARY KEY AUTOINCREMENT, order_id TEXT REFERENCES orders(id), gone TEXT)",
			"", plain,
		}, "CREATE INDEX i ON lines(order_id)"},
		{"an index over one column of two", rule, 900, pairs, "CREATE INDEX i ON lines(shop)"},
		{"children WITHOUT ROWID", rule, 900, []string{
			"CREATE TABLE " + orders,
			"CREATE TABLE lines(at INTEGER, name TEXT COLLATE NOCASE, order_id REFERENCES orders(id), PRIMARY KEY(name, at)) WITHOUT ROWID",
			"", "INSERT INTO lines SELECT column1, 'n' || value, value FROM generate, (VALUES(1), (2))",
		}, ""},
		{
			"a reference of the policy to a column with a partial index",
			rule + "[tables.lines]\nreferences = [{columns = ['order_id'], table = 'orders', to = ['number']}]\n", 900,
			[]string{
				"CREATE TABLE orders(id INTEGER PRIMARY KEY AUTOINCREMENT, old INTEGER, number TEXT)",
				"CREATE TABLE lines(id INTEGER PRIMARY KEY AUTOINCREMENT, order_id INTEGER, gone TEXT)",
				"INSERT INTO orders(old, number) SELECT value % 3 = 0, value || '' FROM generate", plain,
			},
			"CREATE INDEX i ON orders(number) WHERE old = 7",
		},
		{"a tree", "crossing = 'stay-hot'\n[tables.lines]\nwhere = 'order_id IS NULL'\n", 900, []string{
			"CREATE TABLE lines(id INTEGER PRIMARY KEY AUTOINCREMENT, order_id INTEGER REFERENCES lines(id), gone TEXT)",
			"INSERT INTO lines(order_id) SELECT nullif(value / 10, 0) FROM generate",
		}, "CREATE INDEX i ON lines(order_id) WHERE gone IS NOT NULL"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			cost := func(rows int, limit int64) (steps, cold int64) {
				statements := []string{
					"CREATE TABLE generate(value INTEGER)",
					fmt.Sprintf("WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) INSERT INTO generate SELECT i FROM n", rows),
				}
				for _, s := range c.schema {
					if s == "" {
						s = "INSERT INTO orders SELECT value, value % 3 = 0 FROM generate"
					}
					statements = append(statements, s)
				}
				path := database(t, append(statements, c.index, "DROP TABLE generate")...)
				work := capi.Work{Limit: limit}
				plan, err := split.NewPlan(capi.WithWork(context.Background(), &work), path, policy(t, c.rule), at)
				if err != nil {
					t.Fatal(err)
				}
				return work.Steps(), plan.ColdRows()
			}
			few, cold := cost(900, 0)
			cost(3600, 7*few) // of four times the rows
			if cold != c.cold {
				t.Errorf("%d rows are cold of %d", cold, c.cold)
			}
		})
	}
}
