package docpage

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestManyWritersOfOnePage(t *testing.T) {
	const sections = 20
	path := filepath.Join(t.TempDir(), "page.md")
	var page strings.Builder
	for n := range sections {
		fmt.Fprintf(&page, "before %d\n\n<!-- proof:s%d -->\nold\n<!-- end -->\n\n", n, n)
	}
	if err := os.WriteFile(path, []byte(page.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for n := range sections {
		all.Go(func() {
			if err := Replace(path, fmt.Sprintf("s%d", n), fmt.Sprintf("new %d", n)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for n := range sections {
		if want := fmt.Sprintf("before %d\n\n<!-- proof:s%d -->\n\nnew %d\n\n<!-- end -->", n, n, n); !strings.Contains(
			string(got),
			want,
		) {
			t.Errorf("section %d is not as it was written last:\n%s", n, got)
		}
	}
}

func TestNoSuchSection(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	if err := os.WriteFile(path, []byte("<!-- proof:other -->\n<!-- end -->\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Replace(path, "mine", "text"); err == nil || !strings.Contains(err.Error(), "mine") {
		t.Errorf("%v", err)
	}
}

func TestThereIsAPageOfProofs(t *testing.T) {
	if _, err := findPage(); err != nil {
		t.Error(err)
	}
}

// A whole run writes pages and goes on: what the next section was shown at is still the commit.
func TestPagesDoNotMakeACommitDirty(t *testing.T) {
	t.Chdir(t.TempDir())
	git := func(args ...string) {
		t.Helper()
		args = append([]string{"-c", "user.name=t", "-c", "user.email=t@example.com"}, args...)
		if out, err := exec.Command("git", args...).CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	git("init", "--quiet")
	git("commit", "--quiet", "--allow-empty", "--message", "first")
	for _, change := range []struct {
		path  string
		dirty bool
	}{{"docs/notes/proof.md", false}, {"code.go", true}} {
		if err := os.MkdirAll(filepath.Dir(change.path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(change.path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if stamp := Stamp(); strings.Contains(stamp, "dirty") != change.dirty || strings.Contains(stamp, "unknown") {
			t.Errorf("beside %s: %q", change.path, stamp)
		}
	}
}
