package split_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// TestOrdinarySchemas: ordinary applications' databases split as their policies mean. What of it stays hot is
// explained, row by row; both halves keep every declared foreign key; together they are the database.
func TestOrdinarySchemas(t *testing.T) {
	page, err := os.ReadFile("../../docs/split-schemas.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, schema := range ordinarySchemas {
		t.Run(schema.name, func(t *testing.T) {
			path, p := database(t, schema.statements...), policy(t, schema.policy)
			plan, err := split.NewPlan(context.Background(), path, p, at)
			if err != nil {
				t.Fatal(err)
			}
			for _, meant := range schema.meant {
				line := "| " + schema.name + wantMeant(t, path, plan, meant[0], meant[1])
				if !strings.Contains(string(page), line+"\n") {
					t.Errorf("docs/split-schemas.md lacks this line:\n%s", line)
				}
			}
			if stay := stays(plan); !slices.Equal(stay, schema.stay) {
				t.Errorf("stay hot: %q, want %q", stay, schema.stay)
			}
			hot, cold := parts(t, path, p)
			for _, part := range []string{hot, cold} {
				wantRows(t, part, "SELECT count(*) FROM pragma_foreign_key_check", "0")
			}
			whole, err := union(t, hot, cold, plan.Reference...)
			if err != nil {
				t.Fatal(err)
			}
			if digest(t, whole).Database != digest(t, path).Database {
				t.Error("together the parts are another database")
			}
		})
	}
}

// wantMeant compares the plan for a table with a count of its own, and returns the line of the account.
func wantMeant(t *testing.T, path string, plan *split.Plan, table, where string) string {
	t.Helper()
	count := rows(t, path, fmt.Sprintf(`SELECT count(*) FROM "%s" WHERE %s`, strings.ReplaceAll(table, `"`, `""`), where))
	for _, planned := range plan.Tables {
		if planned.Name != table {
			continue
		}
		kept := int64(0)
		for _, s := range planned.Stay {
			kept += s.Rows
		}
		if fmt.Sprint(planned.Meant) != count || planned.ColdRows != planned.Meant-kept {
			t.Errorf("%s: %s rows are meant by another count: %+v", table, count, planned)
		}
		if planned.ColdRows == 0 && planned.Meant > 0 && kept == 0 {
			t.Errorf("%s: nothing moves, and nothing says why", table)
		}
		var why []string
		for _, s := range planned.Stay {
			why = append(why, s.String())
		}
		return fmt.Sprintf(" | %s | %d | %d | %s |", table, planned.Meant, planned.ColdRows, strings.Join(why, "; "))
	}
	t.Errorf("there is no table %s in the plan", table)
	return ""
}

// stays are the reasons of a plan without their numbers, sorted.
func stays(plan *split.Plan) (reasons []string) {
	for _, table := range plan.Tables {
		for _, s := range table.Stay {
			_, reason, _ := strings.Cut(s.String(), "hot: ")
			reasons = append(reasons, table.Name+": "+reason)
		}
	}
	slices.Sort(reasons)
	return reasons
}

// TestProposedPolicies: what is proposed for a schema can be read, fits it, moves rows of each schema that
// says how old they are, and tears no reference apart.
func TestProposedPolicies(t *testing.T) {
	for _, schema := range ordinarySchemas {
		t.Run(schema.name, func(t *testing.T) {
			path := database(t, schema.statements...)
			text, err := split.Propose(context.Background(), path, at)
			if err != nil {
				t.Fatal(err)
			}
			t.Log(text)
			for _, own := range []string{"schema_migrations", "ar_internal_metadata"} {
				if strings.Contains(text, own) {
					t.Errorf("the policy names %s, which is no data of the application's", own)
				}
			}
			// The promises are a person's to make.
			promised := strings.NewReplacer("# ids = ", "ids = ", "# triggers = ", "triggers = ").Replace(text)
			ruled := !strings.Contains(text, "No column says how old")
			plan, err := split.NewPlan(context.Background(), path, policy(t, promised), at)
			if err != nil {
				t.Fatal(err)
			}
			if plan.Empty() == ruled {
				t.Errorf("%d rows would move: %s", plan.ColdRows(), plan.Explain())
			}
			if ruled {
				parts(t, path, policy(t, promised))
			}
		})
	}
}

// TestTablesOfMigrations: what a framework notes about the schema is old, and belongs to no row.
func TestTablesOfMigrations(t *testing.T) {
	for name, ruled := range map[string]bool{
		"ar_internal_metadata": false, "django_migrations": false, "d1_migrations": false, "migrations": false,
		"__drizzle_migrations": false, "_prisma_migrations": false, "knex_migrations_lock": false,
		"kysely_migration": false, "goose_db_version": false, "flyway_schema_history": false, "SequelizeMeta": false,
		"bird_migrations": true, "migrations_of_birds": true, "metadata": true,
	} {
		path := database(t, "CREATE TABLE "+name+"(id INTEGER PRIMARY KEY AUTOINCREMENT, applied_at TEXT)",
			"INSERT INTO "+name+" VALUES (1, '2024-01-02 03:04:05'), (2, '2024-01-02 03:04:05')")
		text, err := split.Propose(context.Background(), path, at)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(text, "where = \"applied_at <") != ruled {
			t.Errorf("%s: a rule is right: %t\n%s", name, ruled, text)
		}
	}
}

// TestColumnsThatTellTimes: what a column holds tells whether a rule can go by it, whatever its name is.
func TestColumnsThatTellTimes(t *testing.T) {
	const none = `where = "FALSE"`
	for name, c := range map[string]struct{ columns, values, want string }{
		"a text with a date":              {"visited TEXT", "'2024-01-02'", "visited < date(:today, '-365 days')"},
		"a declared date":                 {"visited DATE", "'2024-01-02'", "visited < date(:today, '-365 days')"},
		"a text with a time":              {"logged TEXT", "'2024-01-02 03:04:05'", "logged < datetime(:now - 365 * 86400, 'unixepoch')"},
		"an ISO time":                     {"logged", "'2024-01-02T03:04:05Z'", "logged < strftime("},
		"seconds":                         {"logged INTEGER", "1700000000 + value", "logged < :now - 365 * 86400"},
		"milliseconds":                    {"logged", "(1700000000 + value) * 1000", "logged < (:now - 365 * 86400) * 1000"},
		"a declared time in seconds":      {"logged TIMESTAMP", "1700000000", "logged < :now - 365 * 86400"},
		"days as numbers":                 {"logged INTEGER", "20240102 + value", "CAST(strftime('%Y%m%d'"},
		"Julian days":                     {"logged REAL", "2460310.5 + value", "julianday(:now"},
		"the better of two":               {"visited TEXT, discharged TEXT", "'2024-01-02', nullif('2024-01-03', value)", "discharged < date("},
		"rows that are not over":          {"discharged TEXT", "CASE WHEN value < 3 THEN '2024-01-03' END", "discharged IS NOT NULL AND discharged <"},
		"a time to come":                  {"planned TEXT, entered TEXT", "'2027-01-02', '2024-01-03'", "entered < date("},
		"a key with a time":               {"sensor, taken TEXT, PRIMARY KEY(sensor, taken)", "value, '2024-01-02'", "taken < date("},
		"a birthday":                      {"born DATE", "'1990-01-02'", none},
		"numbers":                         {"amount INTEGER", "value", none},
		"a number that looks like a time": {"phone INTEGER", "2025550100 + value", none},
		"words":                           {"title TEXT", "'2024 was a good year'", none},
		"nothing":                         {"title TEXT", "NULL", none},
	} {
		t.Run(name, func(t *testing.T) {
			path := database(t, "CREATE TABLE n(value INTEGER PRIMARY KEY)", "INSERT INTO n VALUES (1), (2), (3), (4)",
				"CREATE TABLE t("+c.columns+")", "INSERT INTO t SELECT "+c.values+" FROM n", "DROP TABLE n")
			text, err := split.Propose(context.Background(), path, at)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(text, c.want) {
				t.Errorf("%q is not in\n%s", c.want, text)
			}
			plan, err := split.NewPlan(context.Background(), path, policy(t, text), at)
			if err != nil || plan.Empty() != (c.want == none) {
				t.Errorf("%d rows would move: %v\n%s", plan.ColdRows(), err, text)
			}
		})
	}
}

var shop = []string{
	"CREATE TABLE customers(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT)",
	"CREATE TABLE orders(id INTEGER PRIMARY KEY AUTOINCREMENT, customer_id INTEGER REFERENCES customers(id), old INTEGER)",
	"INSERT INTO customers VALUES(1, 'a'), (2, 'b'), (9, 'i')",
	"INSERT INTO orders VALUES(1, 1, 1), (2, 2, 1), (3, 2, 0), (4, NULL, 1)",
}

func TestExplain(t *testing.T) {
	path := database(t, shop...)
	plan, err := split.NewPlan(
		context.Background(),
		path,
		policy(t, "crossing = 'stay-hot'\n[tables.orders]\nwhere = 'old'"),
		at,
	)
	if err != nil {
		t.Fatal(err)
	}
	const want = `orders: 3 rows match; 2 stay hot: customer_id refers to hot customers (reference = ["customers"] copies it into both halves)`
	if plan.Explain() != want || plan.ColdRows() != 1 {
		t.Errorf("%d rows: %s", plan.ColdRows(), plan.Explain())
	}
	_, err = split.NewPlan(context.Background(), path, policy(t, "[tables.orders]\nwhere = 'old'"), at)
	wantError(
		t,
		err,
		userdb.Blocked,
		"split table orders: cold rows refer to hot rows of customers (customer_id): 1 to 1; 2 to 2",
		`reference = ["customers"]`,
	)
}

func TestReferenceTables(t *testing.T) {
	path := database(t, shop...)
	p := policy(t, "reference = ['CUSTOMERS']\n[tables.orders]\nwhere = 'old'")
	hot, cold := parts(t, path, p)
	wantRows(t, hot, "SELECT group_concat(id, ' ') FROM customers", "1 2 9")
	wantRows(t, cold, "SELECT group_concat(id, ' ') FROM customers", "1 2 9")
	wantRows(t, cold, "SELECT group_concat(id, ' ') FROM orders", "1 2 4")
	wantRows(t, hot, "SELECT group_concat(id, ' ') FROM orders", "3")
	// The hot rows count: what the application does to them since is what the merge has.
	change(t, hot, "UPDATE customers SET name = 'B' WHERE id = 2", "DELETE FROM customers WHERE id = 9",
		"INSERT INTO customers(name) VALUES('j')")
	whole, err := union(t, hot, cold, "customers")
	if err != nil {
		t.Fatal(err)
	}
	wantRows(t, whole, "SELECT group_concat(id || name, ' ') FROM customers", "1a 2B 10j")
	wantRows(t, whole, "SELECT group_concat(id, ' ') FROM (SELECT id FROM orders ORDER BY id)", "1 2 3 4")
	// A row that is gone while cold rows refer to it is named.
	change(t, hot, "DELETE FROM customers WHERE id = 2")
	_, err = union(t, hot, cold, "customers")
	wantError(t, err, userdb.Conflict, "merge table orders: cold rows refer to rows of the reference table customers (customer_id) that are no longer there: 2")
	left, err := split.UnionPreferring(t.Context(), split.PreferHot, hot, cold, filepath.Join(t.TempDir(), "w.sqlite"), "customers")
	if err != nil || left != 0 {
		t.Errorf("%d left out: %v", left, err)
	}
	if _, err := union(t, hot, cold); userdb.KindOf(err) != userdb.Conflict {
		t.Errorf("without the receipt: %v", err)
	}
	if changed := split.ChangedCopies(digest(t, path), digest(t, hot), []string{"customers"}); len(changed) != 1 {
		t.Errorf("%v", changed)
	}
}

func TestReferenceRefusals(t *testing.T) {
	for name, test := range map[string]struct {
		more   []string
		policy string
		want   string
	}{
		"no such table": {nil, "reference = ['custmers']\n[tables.orders]\nwhere = 'old'", "split table custmers: the policy names it as a reference table"},
		"a copy that refers to what is not copied": {
			[]string{"CREATE TABLE towns(id INTEGER PRIMARY KEY)", "ALTER TABLE customers ADD town REFERENCES towns", "INSERT INTO towns VALUES(1)", "UPDATE customers SET town = 1 WHERE id = 9"},
			"reference = ['customers']\n[tables.orders]\nwhere = 'old'",
			"its rows refer to rows of towns (town), which is none: 9 to 1 (name towns in reference, too",
		},
		"a trigger that writes to it": {
			[]string{"CREATE TRIGGER seen AFTER UPDATE ON orders BEGIN UPDATE OR IGNORE [Customers] SET name = 'x'; END"},
			"reference = ['customers']\n[tables.orders]\nwhere = 'old'",
			"its trigger seen writes to the reference table customers, and the cold part has a read-only copy of it (if the application makes no cold write",
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := database(t, slices.Concat(shop, test.more)...)
			_, err := split.NewPlan(context.Background(), path, policy(t, test.policy), at)
			wantError(t, err, userdb.Blocked, test.want)
		})
	}
	counted := database(t, append(slices.Clone(shop), "CREATE TRIGGER seen AFTER UPDATE ON orders BEGIN UPDATE customers SET name = 'x'; END")...)
	accepted := policy(t, "reference = ['customers']\n[tables.orders]\nwhere = 'old'\ntriggers = 'accept'")
	if plan, err := split.NewPlan(context.Background(), counted, accepted, at); err != nil || plan.ColdRows() != 3 {
		t.Errorf("with a counter in a reference table: %v", err)
	}
	_, err := split.LoadPolicy(written(t, "p.toml", "reference = ['a']\n[tables.A]\nwhere = '1'"))
	wantError(t, err, userdb.Usage, "tables.A: it stands in reference, too")
}
