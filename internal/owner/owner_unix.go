//go:build unix

package owner

import (
	"io/fs"
	"syscall"
)

// Of returns the id of the user who owns a file.
func Of(info fs.FileInfo) (id int, known bool) {
	stat, known := info.Sys().(*syscall.Stat_t)
	if !known {
		return 0, false
	}
	return int(stat.Uid), true
}
