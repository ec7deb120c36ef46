package misread

import (
	"slices"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/result"
)

// Functions that one side does not have move in views and triggers, both ways, and the user's account names
// them.
func TestWhatIsMovedAndCannotBeUsedIsNamed(t *testing.T) {
	u := newUser(t, "warned")
	u.upload(
		makeDatabase(
			t,
			`CREATE TABLE items(n INTEGER PRIMARY KEY, a); CREATE TABLE others(a); INSERT INTO items VALUES(1, 2);
		CREATE TRIGGER squares AFTER INSERT ON items BEGIN SELECT power(new.a, 2); END; CREATE VIEW logs AS SELECT log10(a) FROM items`,
		),
	)
	r := u.run(result.ActionMigrate, u.engine.Migrate)
	u.must(r, result.OutcomeMigrated)
	u.demandWarnings(r, "logs", "squares")
	u.write(
		"CREATE TRIGGER theirs AFTER INSERT ON others BEGIN SELECT registered_by_a_program(1); END",
		"UPDATE items SET a = 3",
	)
	r = u.run(result.ActionRollback, u.rollback)
	u.must(r, result.OutcomeExported)
	u.demandWarnings(r, "theirs")
}

func (u user) demandWarnings(r result.Result, objects ...string) {
	u.Helper()
	var named []string
	for _, w := range r.Warnings {
		named = append(named, w.Object)
	}
	if slices.Sort(named); !slices.Equal(named, objects) {
		u.Errorf("%s warns of %q, want %q: %+v", r.Action, named, objects, r.Warnings)
	}
}
