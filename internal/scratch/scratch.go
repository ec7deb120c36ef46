// Package scratch keeps what a run writes on this machine for a while, copies of users' databases above all:
// in one folder that nobody else can enter or guess, and that goes when the run ends. What a killed run left
// goes when the next run begins.
package scratch

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/dbmigrate/dbmigrate/internal/owner"
)

// prefix begins the name of every such folder.
const prefix = "dbmigrate-run-"

// Dir is one run's folder. It is made when it is first needed, so that commands which spool nothing need no
// place to write.
type Dir struct {
	base    string
	mu      sync.Mutex
	path    string
	held    *os.File // its lock, which tells other runs that this one lives
	removed bool
}

// In places the folder in base, which is the system's for temporary files.
func In(base string) *Dir { return &Dir{base: base} }

var errRemoved = errors.New("the run is over")

// Path is the folder, which is made by the first call.
func (d *Dir) Path() (string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.path != "" || d.removed {
		if d.removed {
			return "", errRemoved
		}
		return d.path, nil
	}
	var err error
	if d.path, d.held, err = create(d.base); err != nil {
		return "", fmt.Errorf("make a folder for scratch files (TMPDIR says where): %w", err)
	}
	return d.path, nil
}

// makeTries is how often another run may sweep a folder in the moment between its making and its lock.
const makeTries = 8

func create(base string) (string, *os.File, error) {
	for range makeTries {
		random := make([]byte, 16)
		rand.Read(random) // never fails
		path := filepath.Join(base, prefix+hex.EncodeToString(random))
		if err := os.Mkdir(path, 0o700); err != nil {
			return "", nil, err
		}
		held, err := lock(path)
		switch {
		case errors.Is(err, errNoLocks):
			return path, nil, nil // then no other run can lock it either, and none sweeps it
		case err == nil && still(path, held):
			return path, held, nil
		case err == nil:
			held.Close()
		case !errors.Is(err, errLocked) && !errors.Is(err, os.ErrNotExist):
			return "", nil, errors.Join(err, os.Remove(path))
		}
	}
	return "", nil, errors.New("other runs sweep every folder as soon as it is made")
}

// still says whether the folder that is held is the one under that name.
func still(path string, held *os.File) bool {
	named, err := os.Lstat(path)
	if err != nil {
		return false
	}
	opened, err := held.Stat()
	return err == nil && os.SameFile(named, opened)
}

// removeTries is how often files that come while the folder is emptied are removed once more: a call that
// found the folder before it was renamed may still make its file.
const removeTries = 16

// Remove removes the folder with everything in it, for good: nothing new is put there. Removing it twice does
// nothing.
func (d *Dir) Remove() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.removed = true
	if d.path == "" {
		return nil
	}
	err := removeAll(d.path)
	d.path = ""
	if d.held != nil {
		d.held.Close()
	}
	return err
}

// removeAll renames the folder first, so that nobody who still works under its name can put another file
// there.
func removeAll(path string) error {
	gone := path + "-gone"
	if err := os.Rename(path, gone); err != nil {
		gone = path // some systems rename no folder with open files
	}
	var err error
	for range removeTries {
		if err = os.RemoveAll(gone); err == nil {
			break
		}
	}
	return err
}

// Sweep removes what dead runs of the same operating system user left in base. Folders of runs that live, and
// of other users, stay.
func Sweep(base string) {
	entries, err := os.ReadDir(base)
	if err != nil {
		return // the next run may see more
	}
	for _, entry := range entries {
		if entry.IsDir() && strings.HasPrefix(entry.Name(), prefix) {
			sweepOne(filepath.Join(base, entry.Name()))
		}
	}
}

func sweepOne(path string) {
	held, err := lock(path)
	if err != nil {
		return
	}
	defer held.Close()
	if info, err := held.Stat(); err == nil && owner.IsOurs(info) {
		// What cannot be removed now is tried again by the next run.
		_ = os.RemoveAll(path)
	}
}
