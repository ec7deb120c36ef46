// Package owner says who owns a file.
package owner

import (
	"io/fs"
	"os"
)

// IsOurs says whether the operating system user who runs this owns the file. Where the system does not say,
// nothing is ours.
func IsOurs(info fs.FileInfo) bool {
	id, known := Of(info)
	return known && id == os.Geteuid()
}
