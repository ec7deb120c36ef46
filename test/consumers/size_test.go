package consumers

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// largest is how large the template's application may become. docs/mount.md says it, too.
var largest = size{plain: 1100, zipped: 475}

// TestBundleSize: what applications upload does not grow unseen.
func TestBundleSize(t *testing.T) {
	p := newHome(t).project(t, "template")
	mountIntoTemplate(t, p)
	p.install()
	is := p.bundle()
	t.Logf("the template's application: %v; minified: %v", is, p.bundle("--minify"))
	if is.plain > largest.plain || is.zipped > largest.zipped {
		t.Errorf("the bundle has %v, and may have %v", is, largest)
	}
	page, err := os.ReadFile("../../docs/mount.md")
	if err != nil {
		t.Fatal(err)
	}
	says := fmt.Sprintf("at most %v", largest)
	if !strings.Contains(string(page), says) {
		t.Errorf("docs/mount.md does not say %q", says)
	}
}
