// Package corpus holds real SQLite files that nobody of this project wrote, for tests (README.md says where
// each is from).
package corpus

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

//go:embed *.db *.sqlite *.sqldb *.gpkg *.gz
var files embed.FS

const packed = ".gz"

// Names lists the databases in order.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // the folder is part of the program
	}
	var names []string
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), packed))
	}
	slices.Sort(names)
	return names
}

// Read returns the bytes of a database; large ones are unpacked.
func Read(name string) ([]byte, error) {
	content, err := files.ReadFile(name)
	if err == nil {
		return content, nil
	}
	if content, err = files.ReadFile(name + packed); err != nil {
		return nil, fmt.Errorf("read corpus: %w", err)
	}
	unpacked, err := gzip.NewReader(bytes.NewReader(content))
	if err != nil {
		return nil, fmt.Errorf("unpack %s: %w", name, err)
	}
	return io.ReadAll(unpacked)
}

// Copy writes a database to a folder of the test and returns its path.
func Copy(tb testing.TB, name string) string {
	tb.Helper()
	content, err := Read(name)
	if err != nil {
		tb.Fatal(err)
	}
	path := filepath.Join(tb.TempDir(), name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}
