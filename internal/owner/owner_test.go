package owner

import (
	"io/fs"
	"os"
	"testing"
)

// unsaid is a file about which the system says nothing.
type unsaid struct{ fs.FileInfo }

func (unsaid) Sys() any { return nil }

func TestIsOurs(t *testing.T) {
	info, err := os.Stat(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if id, known := Of(info); !known || id != os.Geteuid() || !IsOurs(info) {
		t.Errorf("a folder of our own belongs to %d (known: %t)", id, known)
	}
	if _, known := Of(unsaid{info}); known || IsOurs(unsaid{info}) {
		t.Error("what the system says nothing about is ours")
	}
}
