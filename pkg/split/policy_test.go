package split_test

import (
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

func TestPolicyFiles(t *testing.T) {
	toml := policy(
		t,
		"crossing = 'stay-hot'\n[tables.exports]\nwhere = '1'\nfollow = 'own'\nids = 'application'\n"+
			"[[tables.exports.references]]\ncolumns = ['project_id']\ntable = 'projects'\nto = ['id']\n",
	)
	json, err := split.LoadPolicy(written(t, "policy.jsonc", `{"crossing": "stay-hot", "tables": {
		// the same
		"exports": {"where": "1", "follow": "own", "ids": "application", "references": [{"columns": ["project_id"], "table": "projects", "to": ["id"]}]},
	}}`))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*split.Policy{toml, json} {
		rule := p.Tables["exports"]
		if !p.StayHot || rule.Where != "1" || !rule.FollowOwn || !rule.ApplicationIDs ||
			len(rule.References) != 1 ||
			rule.References[0].Columns[0] != "project_id" {
			t.Errorf("%+v", p)
		}
	}
}

func TestPolicyIsStrict(t *testing.T) {
	for _, test := range []struct{ name, content, want string }{
		{"p.toml", "tables = 1", "tables is a number, and it takes a table of settings"},
		{"p.toml", "[tables]\ngames = 'x'", "tables.games is a text, and it takes a table of settings"},
		{"p.toml", "[tables.a]\nwhere = ''", "tables.a.where: it is empty"},
		{"p.toml", "[tables.a]\nwhere = '-- nothing'", "it is empty"},
		{"p.toml", "[tables.a]\nwhere = '1'\n[tables.A]\nwhere = '1'", `the tables "A" and "a" are one`},
		{"p.toml", "[tables.a]\nwhere = '1'\nreferences = 'b'", "tables.a.references is a text"},
		{"p.toml", "[tables.a]\nwhere = '1'\nreferences = [{ columns = ['x'] }]", "tables.a.references[0].table is missing"},
		{"p.toml", "[tables.a]\nwhere = '1'\nreferences = [{ columns = ['x'], table = 'b', to = ['y', 'z'] }]", "has 2 names"},
		{"p.toml", "[tables.a]\nWhere = '1'", "tables.a.Where is no setting: did you mean where?"},
		{"p.toml", "[tables.a]\nwhere = '1) OR (1'", "parentheses"},
		{"p.toml", "[tables.a]\nwhere = '1); DELETE FROM a; SELECT (1'", "parentheses"},
		{"p.toml", "[tables.a]\nwhere = '1; DELETE FROM a'", "semicolon"},
		{"p.toml", "[tables.a]\nwhere = '1 /* open'", "incomplete input"},
		{"p.toml", "[tables.a]\nwhere = 'SELECT 1'", "tables.a.where: it is a SELECT, and must be one expression"},
		{"p.toml", "[tables.a]\nwhere = ''' -- x\nvalues(1)'''", "it is a VALUES"},
		{"p.toml", "[tables.a]\nwhere = 'WITH x AS (SELECT 1) SELECT 1 FROM x'", "it is a WITH"},
		{"p.toml", "reference = 'b'\n[tables.a]\nwhere = '1'", "reference is a text, and it takes a list of names"},
		{"p.toml", "[tables.a]\nwhere = 'x < ?1'", "the parameter ?1"},
		{"p.toml", "[tables.a]\nwhere = 'x < :later'", "the parameter :later"},
		{"p.toml", "[tables.a]\nwhere = \"x < strftime('%s', 'now')\"", "'now', which gives another value"},
		{"p.toml", "[tables.a]\nwhere = \"date(x, 'unixepoch', 'localtime') < :today\"", "'localtime'"},
		{"p.toml", "[tables.a]\nwhere = 'x < unixepoch()'", "unixepoch without a moment"},
		{"p.toml", "[tables.a]\nwhere = \"x < strftime('%s')\"", "strftime without a moment"},
		{"p.toml", "[tables.a]\nwhere = 'x < CURRENT_TIMESTAMP'", "CURRENT_TIMESTAMP"},
		{"p.json", "[]", "it is no JSON object"},
		{"p.json", "{", "unexpected"},
		{"p.json", `{"tables": {"a": {"where": null}}}`, "tables.a.where is null"},
		{"p.json", `{"tables": {"a": {"where": "1", "where": "0"}}}`, `line 1: "where" stands there a second time`},
		{"p.txt", "", "its name ends neither"},
		{"p.toml", "", "it names no tables"},
	} {
		_, err := split.LoadPolicy(written(t, test.name, test.content))
		wantError(t, err, userdb.Usage, test.want)
	}
}

// What looks unsteady and is not is taken.
func TestPolicyAccepts(t *testing.T) {
	for _, where := range []string{
		"label = 'now'", "\"random\" = 1 OR [now] = 2", "date(at) < :today", "strftime('%Y', at) < '2020'", "x IN (SELECT y FROM b WHERE b.z = a.z)", "(x)", "a /* ) */ = 1 -- )",
		"CASE WHEN x THEN 1 ELSE unixepoch(at) < :now END", "y = ':later'",
	} {
		if _, err := split.LoadPolicy(written(t, "p.json", `{"tables": {"a": {"where": `+quoted(where)+`}}}`)); err != nil {
			t.Errorf("%s: %v", where, err)
		}
	}
}
