package property

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/appdb"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// A file that the application deletes behind its fence is reported by the run itself: the user lives on in
// the Durable Object.
func TestDeletedUnderTheFence(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.sqlite")
	if _, err := appdb.Build(t.Context(), path, 1, 40_000); err != nil {
		t.Fatal(err)
	}
	u := newUser(t, "deleted-under-the-fence")
	u.upload(path)
	u.engine.Observe = func(ev result.Event) {
		if ev.Stage == result.StageFence {
			if err := u.engine.Files.Delete(t.Context(), u.key()); err != nil {
				t.Error(err)
			}
		}
	}
	r := u.migrate()
	if r.Outcome != result.OutcomeMigrated || userdb.KindOf(r.Err()) != userdb.Conflict ||
		!strings.Contains(r.Err().Error(), "was deleted while the user was moved") {
		t.Errorf("%s, %v", r.Outcome, r.Err())
	}
	if _, flagged := u.flag(); !flagged || u.status().Phase != userdb.Active {
		t.Errorf("flagged %v, %s", flagged, u.status().Phase)
	}
}
