package record

import (
	"os"
	"path/filepath"
	"testing"
)

func TestStateDir(t *testing.T) {
	for name, test := range map[string]struct {
		env  map[string]string
		want string
	}{
		"XDG":               {map[string]string{"XDG_STATE_HOME": "/x", "HOME": "/h"}, "/x/dbmigrate"},
		"home":              {map[string]string{"HOME": "/h"}, "/h/.local/state/dbmigrate"},
		"XDG, not absolute": {map[string]string{"XDG_STATE_HOME": "x", "HOME": "/h"}, "/h/.local/state/dbmigrate"},
	} {
		got, err := StateDir(func(name string) string { return test.env[name] })
		if got != test.want || err != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestAppendAfterACrash(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	if err := Append(path, []byte(`{"a":1}`)); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"cut`); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if err := Append(path, []byte(`{"b":2}`)); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if want := "{\"a\":1}\n{\"cut\n{\"b\":2}\n"; string(got) != want || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
