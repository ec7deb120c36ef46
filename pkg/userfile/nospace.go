package userfile

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// IsNoSpace says whether a disk of this machine was full, or a quota used up.
func IsNoSpace(err error) bool {
	return userdb.KindOf(err) == userdb.NoSpace ||
		errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || capi.IsNoRoom(err)
}

// FolderOf is the folder of the file that could not be written; "" where the error does not name one.
func FolderOf(err error) string {
	var path *fs.PathError
	if !errors.As(err, &path) {
		return ""
	}
	return filepath.Dir(path.Path)
}

// NoSpace gives a full disk its kind: it is the operator's. It names the folder, and what moves it; other
// errors stay as they are. setting is "" for the folder of scratch files.
func NoSpace(err error, folder, setting string) error {
	if userdb.KindOf(err) == userdb.NoSpace || !IsNoSpace(err) {
		return err
	}
	return &userdb.Error{Op: "write to this machine's disk", Kind: userdb.NoSpace, Err: err,
		Hint: NoSpaceHint(folder, setting)}
}

// NoSpaceHint is the way out.
func NoSpaceHint(folder, setting string) string {
	if setting == "" {
		setting = "set TMPDIR to a folder on a larger disk"
	}
	return fmt.Sprintf("free some space for %s, or %s; then the same command again goes on", folder, setting)
}

// NoSpace is about the scratch files.
func (s *Source) NoSpace(err error) error {
	if !IsNoSpace(err) {
		return err
	}
	return NoSpace(err, s.scratchBase(), "")
}

// RoomHint is the way out where they do not fit.
func (s *Source) RoomHint() string { return NoSpaceHint(s.scratchBase(), "") }

// scratchBase is the folder that holds the scratch files of every run: the run's own goes away with the run.
func (s *Source) scratchBase() string {
	dir, err := s.ScratchDir()
	switch {
	case err != nil:
		return "the folder for scratch files"
	case s.Scratch == nil:
		return dir
	}
	return filepath.Dir(dir)
}
