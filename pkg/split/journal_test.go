package split_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/appdb"
	"github.com/dbmigrate/dbmigrate/pkg/split"
)

// What lies beside a working copy without being ours is refused, before SQLite could replay it.
func TestPlantedJournalsAreRefused(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	source := filepath.Join(dir, "user.sqlite")
	if _, err := appdb.Build(ctx, source, 1, appdb.S); err != nil {
		t.Fatal(err)
	}
	plan, err := split.NewPlan(ctx, source, policy(t, appPolicy), at)
	if err != nil {
		t.Fatal(err)
	}
	hot, cold, err := plan.WriteParts(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(cold)
	if err != nil {
		t.Fatal(err)
	}
	whole := filepath.Join(dir, "whole.sqlite")
	for _, suffix := range []string{"-journal", "-wal", ".cold-work-journal", ".cold-work-wal"} {
		if err := os.WriteFile(whole+suffix, []byte("planted"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := split.Union(ctx, hot, cold, whole); err == nil {
			t.Errorf("joined beside %s", suffix)
		}
		if err := os.Remove(whole + suffix); err != nil {
			t.Errorf("what was planted is gone: %v", err)
		}
	}
	if now, err := os.ReadFile(cold); err != nil || !bytes.Equal(now, before) {
		t.Errorf("a part was changed (%v)", err)
	}
	if err := split.Union(ctx, hot, cold, whole); err != nil {
		t.Error(err)
	}
}
