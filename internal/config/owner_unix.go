//go:build unix

package config

import (
	"io/fs"
	"syscall"
)

// ownerOf returns the id of the user who owns a file. It is a variable for tests, which cannot give files
// away.
var ownerOf = func(info fs.FileInfo) (int, bool) {
	stat, known := info.Sys().(*syscall.Stat_t)
	if !known {
		return 0, false
	}
	return int(stat.Uid), true
}
