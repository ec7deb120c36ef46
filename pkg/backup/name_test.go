package backup

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// A file system without links is no reason to write over another backup's copy.
func TestNameIsNotTaken(t *testing.T) {
	noLinks := func(from, to string) error {
		return &os.LinkError{Op: "link", Old: from, New: to, Err: errors.ErrUnsupported}
	}
	for name, link := range map[string]func(from, to string) error{"links": os.Link, "no links": noLinks} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			ours, copied := filepath.Join(dir, "ours.part"), filepath.Join(dir, "alice.sqlite")
			write := func(path, text string) {
				t.Helper()
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			write(ours, "ours")
			there, err := nameWhole(ours, copied, link)
			if name == "no links" && userdb.KindOf(err) == userdb.Usage && runtime.GOOS != "linux" {
				return // refused, which takes nothing from anybody
			}
			if there || err != nil {
				t.Fatalf("a free name: there %v, %v", there, err)
			}
			_ = os.Remove(ours) // a link of the copy, where there are links
			write(copied, "theirs")
			write(ours, "ours")
			if there, err := nameWhole(ours, copied, link); !there || err != nil {
				t.Errorf("a name that is taken: there %v, %v", there, err)
			}
			if got, err := os.ReadFile(copied); string(got) != "theirs" {
				t.Errorf("the other copy is %q, %v", got, err)
			}
		})
	}
}

// A folder that cannot be made, or takes no file, is the operator's.
func TestFolderThatCannotBeWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	layout, err := userdb.ParseLayout(userdb.DefaultLayout)
	if err != nil {
		t.Fatal(err)
	}
	under := filepath.Join(file, "copies")
	_, made := NewTarget(under, nil, layout)
	_, written := writeWhole(filepath.Join(under, "alice.sqlite"), func(io.Writer) error { return nil })
	_, _, seen := (&Target{folder: under}).has(t.Context(), "alice")
	for what, err := range map[string]error{"make it": made, "write there": written, "look there": seen} {
		if userdb.KindOf(err) != userdb.Usage || !strings.Contains(err.Error(), "--to") {
			t.Errorf("%s: %v", what, err)
		}
	}
	elsewhere := &fs.PathError{Op: "read", Path: "/elsewhere/spool", Err: syscall.EIO}
	if got := ofFolder(elsewhere, under); userdb.KindOf(got) != userdb.Internal {
		t.Errorf("a file of another folder: %v", got)
	}
}

// A full disk under the copies names --to, and leaves no piece of a copy.
func TestFullFolderHasAWayOut(t *testing.T) {
	folder := t.TempDir()
	_, err := writeWhole(filepath.Join(folder, "alice.sqlite"), func(w io.Writer) error {
		_, err := io.WriteString(w, "a piece")
		return errors.Join(err, &fs.PathError{Op: "write", Path: filepath.Join(folder, "part"), Err: syscall.ENOSPC})
	})
	if userdb.KindOf(err) != userdb.NoSpace || !strings.Contains(err.Error(), "free some space for "+folder) ||
		!strings.Contains(err.Error(), "--to") {
		t.Errorf("%v", err)
	}
	if left, err := os.ReadDir(folder); len(left) != 0 || err != nil {
		t.Errorf("left: %v, %v", left, err)
	}
}
