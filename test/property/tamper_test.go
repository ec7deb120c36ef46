package property

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/appdb"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// tamperAt changes every spooled file once, by one byte in the middle of its rows, when a step of the command
// ends.
func (u user) tamperAt(stage result.Stage) {
	u.Helper()
	done := false
	u.engine.Observe = func(ev result.Event) {
		if ev.Stage != stage || done {
			return
		}
		done = true
		if err := u.tamper(); err != nil {
			u.Error(err)
		}
	}
}

func (u user) tamper() error {
	dir, err := u.engine.Scratch.Path()
	if err != nil {
		return err
	}
	spools, err := filepath.Glob(filepath.Join(dir, "*.sqlite"))
	if err == nil && len(spools) == 0 {
		err = errors.New("no spooled file is there")
	}
	for _, path := range spools {
		content, readErr := os.ReadFile(path)
		if readErr != nil {
			return readErr
		}
		content[len(content)-20] ^= 1
		err = errors.Join(err, os.WriteFile(path, content, 0o600))
	}
	return err
}

// A spooled file that something on the operator's machine changes is never what a user ends up with, whenever
// it is changed.
func TestASpoolThatIsTamperedWith(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.sqlite")
	if _, err := appdb.Build(t.Context(), path, 1, 40_000); err != nil {
		t.Fatal(err)
	}
	for _, stage := range []result.Stage{result.StageDownload, result.StagePreflight, result.StageClaim, result.StageCopy, result.StageFinish} {
		t.Run("migrate, after "+string(stage), func(t *testing.T) {
			u := newUser(t, "tampered-"+string(stage))
			before := u.upload(path)
			u.tamperAt(stage)
			if r := u.migrate(); userdb.KindOf(r.Err()) != userdb.Mismatch || r.Open {
				t.Errorf("%s, %v", r.Outcome, r.Err())
			}
			wantUntouched(u, before, path)
		})
	}
	t.Run("rollback", func(t *testing.T) {
		u := migrated(t, "tampered-rollback", path)
		u.mutate("UPDATE projects SET name = name || '!'")
		u.tamperAt(result.StageExport)
		if r := u.rollback(); userdb.KindOf(r.Err()) != userdb.Mismatch {
			t.Errorf("%s, %v", r.Outcome, r.Err())
		}
		u.engine.Observe = nil
		u.must(u.rollback(), result.OutcomeExported)
	})
}
