package backup

import (
	"os"

	"golang.org/x/sys/unix"
)

// renameToNew fails where a file has the name already.
func renameToNew(from, to string) error {
	if err := unix.RenamexNp(from, to, unix.RENAME_EXCL); err != nil {
		return &os.LinkError{Op: "rename", Old: from, New: to, Err: err}
	}
	return nil
}
