package main

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// generate writes a fleet into a folder and returns its files.
func generate(t *testing.T, dir string, args ...string) map[string]string {
	t.Helper()
	o, err := parseFlags(append([]string{"--dir", dir, "--max", "200KB"}, args...))
	if err != nil {
		t.Fatal(err)
	}
	members, err := plan(o)
	if err != nil {
		t.Fatal(err)
	}
	to, err := openDestination(o)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := writeAll(t.Context(), o, members, to); err != nil {
		t.Fatal(err)
	}
	files := make(map[string]string)
	err = fs.WalkDir(os.DirFS(dir), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(filepath.Join(dir, path))
		files[path] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestFleetIsTheSameForTheSameSeed(t *testing.T) {
	one := generate(t, t.TempDir(), "--users", "6", "--seed", "3")
	if len(one) != 6 || !strings.HasPrefix(one["user-00006/database.sqlite"], "SQLite format 3") {
		t.Errorf("files: %q", slices.Sorted(maps.Keys(one)))
	}
	if !maps.Equal(one, generate(t, t.TempDir(), "--users", "6", "--seed", "3")) {
		t.Error("the same seed gave another fleet")
	}
	if maps.Equal(one, generate(t, t.TempDir(), "--users", "6", "--seed", "4")) {
		t.Error("another seed gave the same fleet")
	}
	for name, content := range generate(t, t.TempDir(), "--users", "8", "--seed", "3") {
		if want, ok := one[name]; ok && content != want {
			t.Errorf("%s differs in a larger fleet", name)
		}
	}
}

func TestFleetWithCorpusVideosAndLayout(t *testing.T) {
	corpus := t.TempDir()
	for name, content := range map[string]string{"real-10.13.db": "SQLite format 3\x00", "real-10.13.db-wal": "wal", "README.md": "text"} {
		if err := os.WriteFile(filepath.Join(corpus, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files := generate(
		t,
		t.TempDir(),
		"--users",
		"1",
		"--corpus",
		corpus,
		"--videos",
		"--layout",
		"databases/{user}.sqlite",
	)
	want := []string{
		"corpus-real-10.13/games/1.mp4", "corpus-real-10.13/games/2.mp4", "databases/corpus-real-10.13.sqlite", "databases/user-00001.sqlite",
		"user-00001/games/1.mp4", "user-00001/games/2.mp4",
	}
	if got := slices.Sorted(maps.Keys(files)); !slices.Equal(got, want) {
		t.Errorf("files: %q", got)
	}
	if files["databases/corpus-real-10.13.sqlite"] != "SQLite format 3\x00" {
		t.Error("the corpus file is changed")
	}
}

func TestFleetDoesNotReplaceUnasked(t *testing.T) {
	dir := t.TempDir()
	before := generate(t, dir, "--users", "1", "--seed", "1")
	o, err := parseFlags([]string{"--dir", dir, "--users", "1", "--seed", "2", "--max", "200KB"})
	if err != nil {
		t.Fatal(err)
	}
	members, _ := plan(o)
	if _, err := writeAll(t.Context(), o, members, folder{dir, false}); err == nil ||
		!strings.Contains(err.Error(), "--overwrite") {
		t.Errorf("error: %v", err)
	}
	if after := generate(t, dir, "--users", "1", "--seed", "2", "--overwrite"); maps.Equal(before, after) {
		t.Error("--overwrite replaced nothing")
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"512": 512, "512B": 512, "20KB": 20_000, "1.5MB": 1_500_000, "2GiB": 2 << 30, "": 0, "MB": 0, "-1KB": 0, "0": 0, "NaN": 0, "9e99GB": 0, "x": 0,
	} {
		if got, err := parseSize(text); got != want || (err == nil) != (want > 0) {
			t.Errorf("parseSize(%q) = %d, %v", text, got, err)
		}
	}
}

func TestParseFlagsRefuses(t *testing.T) {
	for _, args := range [][]string{{"--min", "2MB", "--max", "1MB"}, {"--users", "-1"}, {"extra"}, {"--layout", "database.sqlite"}, {"--parallel", "0"}} {
		if _, err := parseFlags(args); err == nil {
			t.Errorf("%q were accepted", args)
		}
	}
}
