package record

import (
	"errors"
	"os"
	"path/filepath"
)

// StateDir is where dbmigrate keeps what it writes down on this machine: reports, never state that matters.
// It is $XDG_STATE_HOME/dbmigrate, or .local/state/dbmigrate in the home folder (the XDG base directory
// specification).
func StateDir(getenv func(string) string) (string, error) {
	if dir := getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "dbmigrate"), nil
	}
	if home := getenv("HOME"); filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "dbmigrate"), nil
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "state", "dbmigrate"), nil
	}
	return "", errors.New("there is no home folder, and XDG_STATE_HOME is not set")
}

// Append adds a line to a file, in one write, so that a crash leaves whole lines. A line that an earlier
// crash cut off stays on a line of its own.
func Append(path string, line []byte) (err error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := f.Close(); err == nil {
			err = closeErr
		}
	}()
	if torn, tornErr := isTorn(f); tornErr != nil || torn {
		line = append([]byte("\n"), line...)
	}
	if _, err = f.Write(append(line, '\n')); err != nil {
		return err
	}
	return f.Sync()
}

// isTorn says whether a file ends in the middle of a line.
func isTorn(f *os.File) (bool, error) {
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return false, err
	}
	last := make([]byte, 1)
	_, err = f.ReadAt(last, info.Size()-1)
	return last[0] != '\n', err
}
