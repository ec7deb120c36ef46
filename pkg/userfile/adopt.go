package userfile

import (
	"io"
	"os"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Adopt takes a file in the scratch folder for the user's: what a restore puts. A mark is taken off, as of a
// kept file or one that somebody downloaded from under a fence.
func (s *Source) Adopt(u userdb.UserID, path string) (*Copy, error) {
	if err := unmarkInPlace(path); err != nil {
		return nil, &userdb.Error{Op: "read the mark of", Thing: path, Kind: userdb.Damaged, Err: err}
	}
	file := &Copy{Path: path}
	return file, file.Describe(s.Layout.Key(u))
}

func unmarkInPlace(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, userdb.HeaderBytes))
	if err != nil || userdb.Classify(head) != userdb.SQLiteFile {
		return err // preflight says what it is
	}
	plain, err := userdb.WithoutMark(head)
	if err != nil {
		return err
	}
	_, err = f.WriteAt(plain, 0)
	return err
}
