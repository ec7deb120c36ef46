package metrics

import "github.com/dbmigrate/dbmigrate/internal/wholefile"

// WriteFile replaces the file at once: a reader sees the old figures or the new ones, never a part.
func (r *Run) WriteFile(path string) error {
	return wholefile.WriteText(path, 0o644, r.text()) // the collector is another user
}
