// Package docpage writes measured sections of pages anew, each between its own pair of comments.
package docpage

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// Replace puts text between `<!-- proof:NAME -->` and the next `<!-- end -->` of the page.
func Replace(path, name, text string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	begin, end := "<!-- proof:"+name+" -->", "<!-- end -->"
	before, rest, found := strings.Cut(string(page), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return fmt.Errorf("write %s: it has no section %q", path, begin)
	}
	return os.WriteFile(path, []byte(before+begin+"\n\n"+strings.TrimSpace(text)+"\n\n"+end+after), 0o644)
}

// Publish logs what a test measured and, if the test passed, writes it into the page; an empty path is no page.
func Publish(t testing.TB, path, name, text string) {
	t.Helper()
	t.Log("\n" + text)
	if path == "" || t.Failed() {
		return
	}
	if err := Replace(path, name, text); err != nil {
		t.Error(err)
	}
}
