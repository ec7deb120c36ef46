package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/dbmigrate/dbmigrate/internal/owner"
)

// upward are the folders in which a configuration is looked for, from dir upward. The folder that holds .git
// is the last one. What lies above a repository is not part of the project: anybody who can write there would
// say where credentials go.
func upward(dir string) (within, above []string) {
	folders := []string{dir}
	for dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
		folders = append(folders, dir)
	}
	for i, folder := range folders {
		if _, err := os.Lstat(filepath.Join(folder, ".git")); err == nil {
			return folders[:i+1], folders[i+1:]
		}
	}
	return folders, nil
}

// look finds the nearest file of that name, "" for none. One that must not be trusted is an error: to pass
// over it silently would leave its owner wondering, and the next one might be of another project.
func look(dir, name string) (string, error) {
	within, above := upward(dir)
	for i, folder := range append(within, above...) {
		path := filepath.Join(folder, name)
		info, err := os.Stat(path)
		switch {
		case err == nil && !info.IsDir() && i >= len(within):
			return "", usage(
				"trust",
				path,
				errors.New("it lies above the repository, and says where credentials go"),
				"name it with --config if it is meant",
			)
		case err == nil && !info.IsDir():
			return path, trusted(path, info)
		case err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission):
			return "", usage("look for", path, err, "")
		}
	}
	return "", nil
}

// ownerOf is a variable for tests, which cannot give files away.
var ownerOf = owner.Of

// trusted refuses a file that another operating system user put there; the administrator may. The link and
// what it leads to both count.
func trusted(path string, target fs.FileInfo) error {
	link, err := os.Lstat(path)
	if err != nil {
		return usage("look for", path, err, "")
	}
	for _, info := range []fs.FileInfo{link, target} {
		if id, known := ownerOf(info); known && id != 0 && id != os.Geteuid() {
			return usage(
				"trust",
				path,
				fmt.Errorf(
					"it belongs to another operating system user (%d), and says where credentials go",
					id,
				),
				"name it with --config if it is meant",
			)
		}
	}
	return nil
}
