package consumers

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// largest is how large the template's application may become. docs/mount.md says it, too.
var largest = size{plain: 1057, zipped: 456}

// withParts mounts the optional parts into the template's application.
var withParts = strings.NewReplacer(
	`export { UserDataStore } from "@dbmigrate/worker";`, `import { UserDataStore as Store } from "@dbmigrate/worker";
import { liveUpdates } from "@dbmigrate/worker/live-updates";
import { splitMode } from "@dbmigrate/worker/split";
const parts = { live: liveUpdates, split: splitMode };
export class UserDataStore extends Store { storeOptions = parts; }`,
	"flags: env.FLAGS", "flags: env.FLAGS, ...parts",
)

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
	p.write("src/index.ts", withParts.Replace(p.read("src/index.ts")))
	t.Logf("with live updates and split mode: %v", p.bundle())
	page, err := os.ReadFile("../../docs/mount.md")
	if err != nil {
		t.Fatal(err)
	}
	says := fmt.Sprintf("at most %v", largest)
	if !strings.Contains(string(page), says) {
		t.Errorf("docs/mount.md does not say %q", says)
	}
}
