// Package docpage writes measured sections of pages, each between its own pair of comments. What a whole run
// of the tests shows goes to docs/notes/proof.md, each section with the commit that it was shown at.
package docpage

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
)

// ProofPage is where whole runs write, from the module's root.
const ProofPage = "docs/notes/proof.md"

// Replace puts text between `<!-- proof:NAME -->` and the next `<!-- end -->` of the page. Several processes
// may write to one page.
func Replace(path, name, text string) error {
	page, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer page.Close()
	if err := syscall.Flock(int(page.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", path, err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	begin, end := "<!-- proof:"+name+" -->", "<!-- end -->"
	before, rest, found := strings.Cut(string(content), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return fmt.Errorf("write %s: it has no section %q", path, begin)
	}
	changed := before + begin + "\n\n" + strings.TrimSpace(text) + "\n\n" + end + after
	if err := page.Truncate(0); err != nil {
		return err
	}
	_, err = page.WriteAt([]byte(changed), 0)
	return err
}

// Publish logs what a test measured. Where the run was whole, with every subtest, and the test passed, it
// also writes it to ProofPage.
func Publish(t testing.TB, name, text string) {
	t.Helper()
	t.Log("\n" + text)
	if !effort.Complete(t) || t.Failed() {
		return
	}
	page, err := findPage()
	if err == nil {
		err = Replace(page, name, Stamp()+text)
	}
	if err != nil {
		t.Error(err)
	}
}

// Stamp says when and at which commit something was shown.
func Stamp() string {
	return fmt.Sprintf("%s, commit %s.\n\n", time.Now().UTC().Format(time.DateOnly), commit())
}

// commit is marked where files had been changed since. Those in docs do not count: a whole run writes them.
func commit() string {
	id, err := exec.Command("git", "describe", "--always", "--abbrev=10", "--match=").Output()
	if err != nil {
		return "unknown"
	}
	changed, err := exec.Command("git", "status", "--porcelain", "--", ":/", ":(top,exclude)docs").Output()
	if err != nil || len(changed) > 0 {
		return strings.TrimSpace(string(id)) + "-dirty"
	}
	return strings.TrimSpace(string(id))
}

func findPage() (string, error) {
	dir, err := os.Getwd()
	for err == nil && dir != filepath.Dir(dir) {
		page := filepath.Join(dir, ProofPage)
		if _, missing := os.Stat(page); missing == nil {
			return page, nil
		}
		dir = filepath.Dir(dir)
	}
	return "", errors.Join(err, errors.New("find "+ProofPage+": it is in no folder above this one"))
}
