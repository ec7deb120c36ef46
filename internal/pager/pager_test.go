package pager

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestCommand(t *testing.T) {
	for _, test := range []struct {
		term, pager string
		said        bool
		want        []string
	}{
		{"xterm", "sh -c true", true, []string{"sh", "-c", "true"}},
		{"xterm", "cat", true, nil},
		{"xterm", "", true, nil},
		{"xterm", "no-such-program", true, nil},
		{"dumb", "sh", true, nil},
		{"", "sh", true, nil},
	} {
		got := Command(
			func(string) string { return test.term },
			func(string) (string, bool) { return test.pager, test.said },
		)
		if !slices.Equal(got, test.want) {
			t.Errorf("%+v: %q", test, got)
		}
	}
}

// TestStart: the pager gets everything, and one that stops reading is no error.
func TestStart(t *testing.T) {
	for script, want := range map[string]int{"cat": 100_000, "head -c 5": 5, "exit 3": 0} {
		out, err := os.CreateTemp(t.TempDir(), "out")
		if err != nil {
			t.Fatal(err)
		}
		w, err := Start([]string{"sh", "-c", script}, out, os.Stderr)
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if _, err := w.Write([]byte(strings.Repeat("x", 1000))); err != nil {
				t.Fatalf("%s: %v", script, err)
			}
		}
		if err := w.Close(); err != nil {
			t.Errorf("%s: %v", script, err)
		}
		text, err := os.ReadFile(out.Name())
		if err != nil || len(text) != want {
			t.Errorf("%s: %v, %d bytes", script, err, len(text))
		}
	}
}
