package property

import (
	"context"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// tamperedStores lets something change the Durable Object past its own code, right behind the rows.
type tamperedStores struct {
	migrate.Stores
	tamper func()
}

func (s *tamperedStores) Finish(ctx context.Context, u userdb.UserID, g userdb.Claim, batches int64) error {
	err := s.Stores.Finish(ctx, u, g, batches)
	s.tamper()
	return err
}

// What a migrate finds wrong with its copy it names: table, key, column and both values.
func TestMigrateNamesWhatDiffersInItsCopy(t *testing.T) {
	path := mutatedDatabase(t)
	for i, c := range []struct{ name, sql, want string }{
		{"a cell", "UPDATE items SET note = 'other' WHERE id = 20000", `table "items" row 20000 column "note": "note 2000" against "other"`},
		{"a key of two columns", "UPDATE keyed SET v = 1.5 WHERE a = 'k5' AND b = 5", `table "keyed" row "k5", 5 column "v": x'0000000000' against 1.5`},
		{"a missing row", "DELETE FROM plain WHERE rowid = 30", `table "plain" row 30 is missing on the right: (30, "row 3", 0.75)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := newUser(t, "copied-"+string(rune('a'+i)))
			object := u.upload(path)
			u.engine.Stores = &tamperedStores{u.engine.Stores, func() { u.mutate(c.sql) }}
			r := u.migrate()
			if userdb.KindOf(r.Err()) != userdb.Mismatch || !strings.Contains(r.Err().Error(), c.want) ||
				!strings.Contains(r.Err().Error(), "probably") {
				t.Errorf("migrate ended as %s: %v, want %s", r.Outcome, r.Err(), c.want)
			}
			if u.head().ETag != object.ETag {
				t.Error("the file was changed")
			}
		})
	}
}
