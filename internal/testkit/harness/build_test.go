package harness

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
)

// TestBuildIsShared: packages that ask side by side all get a program that runs, and it is linked once.
func TestBuildIsShared(t *testing.T) {
	const root = "../../.."
	first := build(t, root)
	linked, err := os.Stat(filepath.Join(root, "bin", "test", "dbmigrate"))
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() { build(t, root) })
	}
	all.Wait()
	again, err := os.Stat(filepath.Join(root, "bin", "test", "dbmigrate"))
	if err != nil || !os.SameFile(linked, again) {
		t.Errorf("it was linked again: %v", err)
	}
	if err := os.Remove(first); err != nil { // each has one of its own
		t.Fatal(err)
	}
	build(t, root)
}

func build(t *testing.T, root string) (path string) {
	path, err := Build(t.Context(), root, t.TempDir())
	if err != nil {
		t.Error(err)
		return ""
	}
	if out, err := exec.Command(path, "version").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	return path
}
