package userfile

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// folder is a run's own.
type folder string

func (f folder) Path() (string, error) { return string(f), nil }
func (f folder) Remove() error         { return nil }

// A full disk has its kind, and names the folder that stays: the run's own goes away with the run.
func TestFullDiskHasItsKind(t *testing.T) {
	base := t.TempDir()
	t.Setenv("TMPDIR", base)
	full := fmt.Errorf("write what arrived: %w", syscall.ENOSPC)
	run := folder(filepath.Join(base, "dbmigrate-run-1"))
	for name, s := range map[string]*Source{"a run": {Scratch: run}, "without a run": {}} {
		err := s.NoSpace(full)
		if userdb.KindOf(err) != userdb.NoSpace || !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("%s: %v", name, err)
		}
		if !strings.Contains(err.Error(), "free some space for "+base+", or set TMPDIR") {
			t.Errorf("%s: it names another folder: %v", name, err)
		}
		if hint := s.RoomHint(); !strings.Contains(hint, "free some space for "+base+", or set TMPDIR") {
			t.Errorf("%s: without room it names another folder: %s", name, hint)
		}
		if other := errors.New("no"); s.NoSpace(other) != other || s.NoSpace(nil) != nil {
			t.Errorf("%s: another error changed", name)
		}
	}
}
