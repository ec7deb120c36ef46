package metrics

import (
	"os"
	"path/filepath"
)

// WriteFile replaces the file at once: a reader sees the old figures or the new ones, never a part.
func (r *Run) WriteFile(path string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if _, err = f.WriteString(r.text()); err != nil {
		return err
	}
	if err = f.Chmod(0o644); err != nil { // the collector is another user
		return err
	}
	if err = f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
