package harness

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
)

// These are for Operator.KVWindow and Operator.WritePause. A program that users get listens to neither.
const (
	kvWindowVariable   = "DBMIGRATE_TEST_KV_WINDOW"
	writePauseVariable = "DBMIGRATE_TEST_WRITE_PAUSE"
)

// Build puts dbmigrate into dir and returns its path. root is the module's root. The packages that need it
// share one: the first of them links it, and the others find it in bin/test, as new as the source.
func Build(ctx context.Context, root, dir string) (path string, err error) {
	if err := stack.NoteInputs(root, "cmd", "internal", "pkg"); err != nil {
		return "", err
	}
	shared := filepath.Join(root, "bin", "test")
	unlock, err := lock(shared)
	if err != nil {
		return "", fmt.Errorf("build dbmigrate: %w", err)
	}
	defer unlock()
	build := exec.CommandContext(
		ctx, "go", "build", "-ldflags",
		"-s -w -X main.kvWindowVariable="+kvWindowVariable+" -X main.writePauseVariable="+writePauseVariable,
		"-o", filepath.Join("bin", "test", "dbmigrate"), "./cmd/dbmigrate")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build dbmigrate: %w\n%s", err, out)
	}
	path = filepath.Join(dir, "dbmigrate")
	if err := copyProgram(filepath.Join(shared, "dbmigrate"), path); err != nil {
		return "", fmt.Errorf("build dbmigrate: %w", err)
	}
	return path, nil
}

// lock makes the folder, and holds it until the caller unlocks it or ends.
func lock(folder string) (unlock func() error, err error) {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(folder, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		file.Close()
		return nil, err
	}
	return file.Close, nil
}

func copyProgram(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if closed := out.Close(); err == nil {
		err = closed
	}
	return err
}
