package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// dumpAndLoad is `sqlite3 a .dump | sqlite3 b`: the way that everybody knows, on a local disk, with nothing
// checked.
func (w *world) dumpAndLoad(ctx context.Context, db database) (took, cpu time.Duration, err error) {
	target := filepath.Join(w.dir, "loaded.sqlite")
	if err := os.Remove(target); err != nil && !errors.Is(err, os.ErrNotExist) {
		return 0, 0, err
	}
	begun := time.Now()
	cmd := exec.CommandContext(
		ctx,
		"/bin/sh",
		"-c",
		`sqlite3 "$1" .dump | sqlite3 "$2"`,
		"sh",
		db.path,
		target,
	)
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, 0, fmt.Errorf("dump %s: %w\n%s", db.name, err, out)
	}
	return time.Since(begun), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}
