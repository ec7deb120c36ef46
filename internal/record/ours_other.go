//go:build !unix

package record

import (
	"io/fs"
)

// ours: the system does not say, so a folder that is there already is not used.
func ours(fs.FileInfo) bool { return false }
