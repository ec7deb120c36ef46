package sqlitefile

import (
	"errors"
	"fmt"
	"os"
)

// makeWritable sets the write and read version in the file's header to those of a rollback journal, so that
// SQLite neither refuses to write (a fence) nor makes a log beside the file (write-ahead-log mode). restore
// puts the file's own versions back.
func (f *File) makeWritable() (restore func() error, err error) {
	if err := patchVersions(f.path, 1, 1); err != nil {
		return nil, err
	}
	return func() error { return patchVersions(f.path, f.head.raw[writeVersionAt], f.head.raw[readVersionAt]) }, nil
}

// patchVersions writes bytes 18 and 19 of a database file.
func patchVersions(path string, write, read byte) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("set format versions: %w", err)
	}
	_, err = file.WriteAt([]byte{write, read}, writeVersionAt)
	if err := errors.Join(err, file.Close()); err != nil {
		return fmt.Errorf("set format versions: %w", err)
	}
	return nil
}
