package stack

import (
	"io/fs"
	"os"
	"path/filepath"
)

// NoteInputs looks at every file of folders of the module, which other programs read for a test. `go test`
// then takes no result from its cache that was made with others.
func NoteInputs(root string, folders ...string) error {
	for _, folder := range folders {
		err := filepath.WalkDir(
			filepath.Join(root, folder),
			func(path string, entry fs.DirEntry, err error) error {
				if err == nil && entry.IsDir() && len(entry.Name()) > 1 && entry.Name()[0] == '.' ||
					err == nil && entry.Name() == "node_modules" {
					return fs.SkipDir
				}
				if err == nil {
					_, err = os.Stat(path)
				}
				return err
			},
		)
		if err != nil {
			return err
		}
	}
	return nil
}
