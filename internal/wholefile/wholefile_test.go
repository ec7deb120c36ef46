package wholefile

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

func TestWriteReplacesAsAWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.html")
	for _, content := range []string{"one", "two"} {
		if err := Write(path, 0o640, text(content)); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != content {
			t.Fatalf("%q, %v", got, err)
		}
	}
	failed := errors.New("no figures")
	broken := func(w io.Writer) error { return errors.Join(text("half")(w), failed) }
	if err := Write(path, 0o640, broken); !errors.Is(err, failed) {
		t.Errorf("%v", err)
	}
	if got, _ := os.ReadFile(path); string(got) != "two" {
		t.Errorf("a failed write left %q", got)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("left %v, %v", left, err)
	}
	if info, _ := os.Stat(path); info.Mode() != 0o640 {
		t.Errorf("mode %v", info.Mode())
	}
}

// A device that is replaced by a file is gone for everybody.
func TestWriteReplacesNoPipe(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	arrived := make(chan string)
	go func() {
		content, err := os.ReadFile(path)
		arrived <- string(content)
		if err != nil {
			t.Error(err)
		}
	}()
	if err := Write(path, 0o644, text("all of it")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Type() != os.ModeNamedPipe {
		t.Fatalf("%v, %v", info, err)
	}
	if got := <-arrived; got != "all of it" {
		t.Errorf("arrived: %q", got)
	}
}
