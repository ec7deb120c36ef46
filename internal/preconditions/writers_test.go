package preconditions

import (
	"fmt"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// TestRouterThatIsNotKnown: beside an old path the router must save no file, so it has to say so.
func TestRouterThatIsNotKnown(t *testing.T) {
	for _, w := range []migrate.Writers{
		migrate.WritersFenceAware, migrate.WritersConditional, migrate.WritersUnconditional,
	} {
		for _, untold := range []bool{false, true} {
			err := Mounted{Untold: untold}.RefuseUntold(w)
			if refused := userdb.KindOf(err) == userdb.Usage; refused != (untold && w == migrate.WritersUnconditional) {
				t.Errorf("%s, untold %v: %v", w, untold, err)
			}
		}
	}
}

// TestCommandsThatWaitForNobody: beside an old path they have to leave users where they are.
func TestCommandsThatWaitForNobody(t *testing.T) {
	for _, oldPath := range []bool{false, true} {
		err := Mounted{OldPath: oldPath}.WaitsForNobody("restore", "pass --stay-in-r2")
		if refused := userdb.KindOf(err) == userdb.Usage; refused != oldPath {
			t.Errorf("old path %v: %v", oldPath, err)
		}
	}
}

// TestWritersAgreeWithTheWorker: what was said, or not said, of the writers, beside what the Worker says.
func TestWritersAgreeWithTheWorker(t *testing.T) {
	for _, c := range []struct {
		writers       migrate.Writers
		said, oldPath bool
		splits        bool
		want          migrate.Writers // "": refused
	}{
		{writers: migrate.WritersFenceAware, want: migrate.WritersFenceAware},
		{writers: migrate.WritersFenceAware, said: true, want: migrate.WritersFenceAware},
		{writers: migrate.WritersFenceAware, splits: true, want: migrate.WritersFenceAware},
		{writers: migrate.WritersFenceAware, oldPath: true, want: migrate.WritersUnconditional},
		{writers: migrate.WritersFenceAware, said: true, oldPath: true},
		{writers: migrate.WritersFenceAware, splits: true, oldPath: true},
		{writers: migrate.WritersConditional, said: true, want: migrate.WritersConditional},
		{writers: migrate.WritersConditional, said: true, oldPath: true, want: migrate.WritersConditional},
		{writers: migrate.WritersUnconditional, said: true},
		{writers: migrate.WritersUnconditional, said: true, oldPath: true, want: migrate.WritersUnconditional},
	} {
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			p := migrate.Procedure{Writers: c.writers}
			err := Mounted{OldPath: c.oldPath}.Agree(&p, c.said, c.splits, func(string, ...any) {})
			if c.want == "" {
				if userdb.KindOf(err) != userdb.Usage {
					t.Errorf("not refused: %v", err)
				}
				return
			}
			if err != nil || p.Writers != c.want {
				t.Errorf("%v, %v", p.Writers, err)
			}
		})
	}
}
