package consumers

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
)

// largest is how large the template's application may become. docs/mount.md says it, too.
var largest = size{plain: 1060, zipped: 459}

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

// TestBundleByDirectory: the rows of docs/notes/performance.md follow the sources. A few KiB may pass until
// somebody measures again.
func TestBundleByDirectory(t *testing.T) {
	const near = 3
	command := exec.CommandContext(t.Context(), "node_modules/node/bin/node", "package/sizes.mjs")
	command.Dir = "../../worker"
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Logf("\n%s", out)
	page, err := os.ReadFile("../../docs/notes/performance.md")
	if err != nil {
		t.Fatal(err)
	}
	for row := range strings.Lines(strings.TrimSpace(string(out))) {
		name, measured, _ := strings.Cut(strings.TrimPrefix(row, "| "), " |")
		_, behind, found := strings.Cut(string(page), "\n| "+name+" |")
		if !found {
			t.Errorf("docs/notes/performance.md has no row %q", name)
		}
		said, _, _ := strings.Cut(behind, "\n")
		is, says := numbersIn(measured), numbersIn(said)
		for i := range is {
			if len(says) != len(is) || max(is[i]-says[i], says[i]-is[i]) > near {
				t.Errorf("%s: docs/notes/performance.md says%s, and it is%s", name, said, measured)
				break
			}
		}
	}
}

func numbersIn(row string) (numbers []int) {
	for cell := range strings.SplitSeq(row, "|") {
		if n, err := strconv.Atoi(strings.TrimSpace(cell)); err == nil {
			numbers = append(numbers, n)
		}
	}
	return numbers
}
