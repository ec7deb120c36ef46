package scan

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/scanlog"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// fullDisk is a history on a disk that is full: before it is read, or once all of it was.
type fullDisk struct{ past Memory }

func (m fullDisk) update(ctx context.Context, do func(*scanlog.History) error) error {
	full := &userdb.Error{Op: "write the history", Kind: userdb.NoSpace, Err: scanlog.ErrUnwritable}
	if m.past == nil {
		return full
	}
	return errors.Join(m.past.update(ctx, do), full)
}

// TestAFullDiskCostsOnlyThePast: where the history cannot be written, a scan says so and has its users, each
// once.
// Where the advice itself needs the history, the scan fails.
func TestAFullDiskCostsOnlyThePast(t *testing.T) {
	b := &bucket{found: []inspect.Found{
		{User: "alice", Bytes: 2_000_000, Place: inspect.PlaceFile}, {User: "bob", Bytes: 10, Place: inspect.PlaceFile},
	}}
	file := fileMemory{filepath.Join(t.TempDir(), "h.sqlite"), scanlog.Scope{Bucket: "b"}}
	for name, past := range map[string]Memory{"at once": fullDisk{}, "at the end": fullDisk{file}} {
		var stderr bytes.Buffer
		o := options(&stderr)
		o.Past = past
		r, err := Survey(t.Context(), b, o)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		users, totals := usersOf(t, r), r.Summary()
		if len(users) != 2 || totals.Users != 2 || totals.Migrate != 1 || !totals.HistoryUnwritten || totals.Scans != 0 {
			t.Errorf("%s: %v, %+v", name, users, totals)
		}
		if said := stderr.String(); strings.Count(said, "no history is kept") != 1 {
			t.Errorf("%s: said %q", name, said)
		}
		o.Consistent = 2
		if _, err := Survey(t.Context(), b, o); userdb.KindOf(err) != userdb.NoSpace {
			t.Errorf("%s, with --consistent: %v", name, err)
		}
	}
}

// TestHistoryWithoutAPlace: at the beginning it is the same warning, unless the history was asked for.
func TestHistoryWithoutAPlace(t *testing.T) {
	dir := t.TempDir()
	h := History{Scope: scanlog.Scope{Bucket: "b"}, Dir: func() (string, error) { return dir, nil }}
	path, err := h.path()
	if err == nil {
		err = os.Symlink(filepath.Join(dir, "absent", "h.sqlite"), path) // SQLite cannot make that file
	}
	if err != nil {
		t.Fatal(err)
	}
	noFolder := func() (string, error) { return "", errors.New("there is no home folder") }
	for name, of := range map[string]func() (string, error){"no file": h.Dir, "no folder": noFolder} {
		h.Dir, h.Needed = of, false
		said := ""
		warn := func(format string, args ...any) { said = fmt.Sprintf(format, args...) }
		past, err := h.Open(t.Context(), nil, nil, warn)
		if past != nil || err != nil || !strings.Contains(said, "no history is kept") {
			t.Errorf("%s: %v, %v, said %q", name, past, err, said)
		}
		h.Needed = true
		if _, err := h.Open(t.Context(), nil, nil, warn); userdb.KindOf(err) != userdb.Usage ||
			!strings.Contains(err.Error(), "with --history") {
			t.Errorf("%s, needed: %v", name, err)
		}
	}
}
