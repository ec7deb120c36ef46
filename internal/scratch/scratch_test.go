package scratch

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func pathOf(t *testing.T, d *Dir) string {
	t.Helper()
	path, err := d.Path()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestOnePrivateFolder(t *testing.T) {
	base := t.TempDir()
	d, other := In(base), In(base)
	path := pathOf(t, d)
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if again := pathOf(t, d); again != path {
		t.Errorf("a second folder %s beside %s", again, path)
	}
	if name := filepath.Base(path); len(name) < len(prefix)+32 || pathOf(t, other) == path {
		t.Errorf("%s can be guessed", name)
	}
	if err := os.WriteFile(filepath.Join(path, "rows"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := d.Remove(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", path, err)
	}
	if _, err := d.Path(); err == nil {
		t.Error("a folder was made for a run that is over")
	}
}

func TestNothingIsMadeBeforeItIsNeeded(t *testing.T) {
	base := t.TempDir()
	if err := In(base).Remove(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(base); err != nil || len(left) > 0 {
		t.Errorf("%v, %v", left, err)
	}
}

func TestAPlaceThatCannotBeWritten(t *testing.T) {
	if _, err := In(filepath.Join(t.TempDir(), "absent")).Path(); err == nil ||
		!strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("%v", err)
	}
}

// Files that come while the folder is emptied go, too.
func TestRemoveWhileOthersWrite(t *testing.T) {
	d := In(t.TempDir())
	path := pathOf(t, d)
	var writers sync.WaitGroup
	var stop atomic.Bool
	for range 4 {
		writers.Go(func() {
			for !stop.Load() {
				f, err := os.CreateTemp(path, "rows")
				if err != nil {
					return
				}
				f.Close()
			}
		})
	}
	for left, _ := os.ReadDir(path); len(left) == 0; left, _ = os.ReadDir(path) {
		runtime.Gosched()
	}
	err := d.Remove()
	stop.Store(true)
	writers.Wait()
	if left := entriesOf(t, filepath.Dir(path)); err != nil || len(left) > 0 {
		t.Errorf("%v, left: %v", err, left)
	}
}

// TestSweep has one folder of each kind. A child that was killed left its own; one that lives keeps its own.
func TestSweep(t *testing.T) {
	base := t.TempDir()
	dead, _ := child(t, base)
	living, live := child(t, base)
	if err := dead.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = dead.Wait() // it was killed
	kept := []string{
		live,
		filepath.Join(base, "other-program"),
		filepath.Join(base, prefix+"link"),
		filepath.Join(base, prefix+"file"),
		filepath.Join(base, "linked"),
	}
	for _, dir := range []string{kept[1], kept[4]} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink(kept[4], kept[2]), os.WriteFile(kept[3], nil, 0o600), os.WriteFile(filepath.Join(kept[4], "rows"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	kept = append(kept, filepath.Join(kept[4], "rows"))
	Sweep(base)
	var left []string
	for _, entry := range entriesOf(t, base) {
		left = append(left, filepath.Join(base, entry.Name()))
	}
	if len(left) != 5 {
		t.Errorf("left: %q", left)
	}
	for _, path := range kept {
		if _, err := os.Lstat(path); err != nil {
			t.Error(err)
		}
	}
	_ = living.Process.Kill()
	_ = living.Wait()
	Sweep(base)
	if _, err := os.Lstat(live); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what the second child left is still there: %v", err)
	}
	Sweep(filepath.Join(base, "absent"))
}

func entriesOf(t *testing.T, dir string) []os.DirEntry {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// child is a run in a process of its own, with rows in its folder.
func child(t *testing.T, base string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), "SCRATCH_BASE="+base)
	stdin, err := cmd.StdinPipe() // the child ends with the test, whatever happens
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stdin.Close() })
	path := make([]byte, len(filepath.Join(base, prefix))+32)
	for read := 0; read < len(path); {
		n, err := stdout.Read(path[read:])
		if err != nil {
			t.Fatal(err)
		}
		read += n
	}
	return cmd, string(path)
}

// TestChild is not a test but the child.
func TestChild(t *testing.T) {
	base := os.Getenv("SCRATCH_BASE")
	if base == "" {
		return
	}
	path := pathOf(t, In(base))
	if err := os.WriteFile(filepath.Join(path, "rows"), []byte("rows"), 0o600); err != nil {
		t.Fatal(err)
	}
	os.Stdout.WriteString(path)
	_, _ = os.Stdin.Read(make([]byte, 1))
}

// A folder that another run swept between its making and its lock is given up for a new one.
func TestAFolderThatIsNoLongerThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), prefix)
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	held, err := lock(path)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if !still(path, held) {
		t.Error("not the same folder")
	}
	if _, err := lock(path); !errors.Is(err, errLocked) {
		t.Errorf("locked twice: %v", err)
	}
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	if still(path, held) {
		t.Error("another folder of the same name is taken for ours")
	}
}
