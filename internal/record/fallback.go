package record

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dbmigrate/dbmigrate/internal/owner"
)

// FallbackDir is a folder in base, which is open to everybody, that only the user of this process can enter.
// A folder or a link that somebody else put under its name is not used: then the folder has a name of its
// own.
func FallbackDir(base string) (string, error) {
	dir := filepath.Join(base, fmt.Sprintf("dbmigrate-%d", os.Geteuid()))
	err := os.Mkdir(dir, 0o700)
	if err == nil || errors.Is(err, os.ErrExist) && private(dir) {
		return dir, nil
	}
	return os.MkdirTemp(base, "dbmigrate-state-")
}

// private says whether the name itself is a folder of ours that nobody else may enter.
func private(dir string) bool {
	info, err := os.Lstat(dir)
	return err == nil && info.IsDir() && info.Mode().Perm()&0o077 == 0 && owner.IsOurs(info)
}
