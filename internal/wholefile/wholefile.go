// Package wholefile writes a file as a whole or not at all: a reader sees the old contents or the new ones.
package wholefile

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// Write puts what write writes in the place of the file. What is there and is no regular file, as a pipe or a
// terminal, is written to: nobody means to replace that.
func Write(path string, mode os.FileMode, write func(io.Writer) error) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return writeThrough(path, write)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".dbmigrate-*"+filepath.Ext(path))
	if err != nil {
		return err
	}
	err = errors.Join(flushed(f, write), f.Chmod(mode), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// WriteText is Write of a text.
func WriteText(path string, mode os.FileMode, text string) error {
	return Write(path, mode, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
}

func writeThrough(path string, write func(io.Writer) error) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(flushed(f, write), f.Close())
}

func flushed(f *os.File, write func(io.Writer) error) error {
	b := bufio.NewWriter(f)
	return errors.Join(write(b), b.Flush())
}
