package record

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestFallback(t *testing.T) {
	name := fmt.Sprintf("dbmigrate-%d", os.Geteuid())
	for planted, c := range map[string]struct {
		plant func(path, elsewhere string) error
		used  bool
	}{
		"nothing":                   {func(string, string) error { return nil }, true},
		"our own folder":            {func(path, _ string) error { return os.Mkdir(path, 0o700) }, true},
		"a link to another folder":  {func(path, elsewhere string) error { return os.Symlink(elsewhere, path) }, false},
		"a link to nowhere":         {func(path, elsewhere string) error { return os.Symlink(filepath.Join(elsewhere, "absent"), path) }, false},
		"a folder open to everyone": {func(path, _ string) error { return os.Mkdir(path, 0o777) }, false},
		"a file":                    {func(path, _ string) error { return os.WriteFile(path, nil, 0o600) }, false},
	} {
		t.Run(planted, func(t *testing.T) {
			base, elsewhere := t.TempDir(), t.TempDir()
			path := filepath.Join(base, name)
			if err := c.plant(path, elsewhere); err != nil {
				t.Fatal(err)
			}
			dir, err := FallbackDir(base)
			if err != nil || (dir == path) != c.used {
				t.Fatalf("%s, %v", dir, err)
			}
			if info, err := os.Lstat(dir); err != nil || !info.IsDir() || info.Mode().Perm() != 0o700 {
				t.Errorf("%v, %v", info.Mode(), err)
			}
			if err := Append(filepath.Join(dir, "audit.jsonl"), []byte("{}")); err != nil {
				t.Error(err)
			}
			if left, err := os.ReadDir(elsewhere); err != nil || len(left) > 0 {
				t.Errorf("written elsewhere: %v, %v", left, err)
			}
		})
	}
	if _, err := FallbackDir(filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("a folder in no folder")
	}
}
