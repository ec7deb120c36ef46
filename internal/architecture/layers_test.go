// Package architecture holds the layers of docs/architecture.md.
package architecture

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/dbmigrate/dbmigrate/"

// layer is a row of the table of docs/architecture.md: a package, and its imports of ours.
type layer struct {
	name    string
	imports []string
}

var quoted = regexp.MustCompile("`([^`]+)`")

// drawn are the layers as the page has them, the lowest first.
func drawn(t *testing.T) []layer {
	t.Helper()
	page, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(page), "| package | what it is | imports |\n|---|---|---|\n")
	if !found {
		t.Fatal("docs/architecture.md has no table of packages")
	}
	var layers []layer
	for row := range strings.Lines(table) {
		cells := strings.Split(row, " | ")
		if len(cells) != 3 {
			break
		}
		l := layer{name: strings.Trim(cells[0], "|` ")}
		for _, match := range quoted.FindAllStringSubmatch(cells[2], -1) {
			l.imports = append(l.imports, match[1])
		}
		layers = append(layers, l)
	}
	return layers
}

// built are the imports of each package of ours, but of tests, of scripts, and of this package: nothing is
// above them.
func built(t *testing.T) map[string][]string {
	t.Helper()
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, module+"...").
		CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	packages := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		name := strings.TrimPrefix(words[0], module)
		if strings.HasPrefix(name, "test/") || strings.HasPrefix(name, "scripts/") ||
			name == "internal/architecture" {
			continue
		}
		packages[name] = []string{}
		for _, word := range words[1:] {
			if imported, ours := strings.CutPrefix(word, module); ours {
				packages[name] = append(packages[name], imported)
			}
		}
		slices.Sort(packages[name])
	}
	return packages
}

// TestLayers holds every package against the page: it has a row, which names exactly its imports, and they
// stand above it. To add a package or an import, write it there.
func TestLayers(t *testing.T) {
	packages, above := built(t), map[string]bool{}
	for _, l := range drawn(t) {
		imports, exists := packages[l.name]
		if !exists {
			t.Errorf("%s has a row, and is no package", l.name)
			continue
		}
		if !slices.Equal(imports, l.imports) {
			t.Errorf("%s imports %v, and its row names %v", l.name, imports, l.imports)
		}
		for _, imported := range imports {
			if !above[imported] {
				t.Errorf("%s imports %s, which does not stand above it", l.name, imported)
			}
		}
		above[l.name] = true
	}
	for name := range packages {
		if !above[name] {
			t.Errorf("%s has no row in docs/architecture.md", name)
		}
	}
}

var label = regexp.MustCompile(`\["([^":]+)[:"]`)

// TestPictureNamesPackages: each name in the picture of the Go packages is one, under internal where its box
// says so.
func TestPictureNamesPackages(t *testing.T) {
	page, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "## Go packages\n\n```mermaid\n")
	picture, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("docs/architecture.md has no picture of the packages")
	}
	names := 0
	for _, box := range label.FindAllStringSubmatch(picture, -1) {
		below := "pkg/"
		for name := range strings.SplitSeq(box[1], ", ") {
			if rest, inside := strings.CutPrefix(name, "internal/"); inside {
				below, name = "internal/", rest
			}
			if strings.Contains(name, "/") { // cmd/dbmigrate
				below = ""
			}
			names++
			if info, err := os.Stat("../../" + below + name); err != nil || !info.IsDir() {
				t.Errorf("the picture names %s%s, which is no package", below, name)
			}
		}
	}
	if names < 20 {
		t.Errorf("only %d names were found", names)
	}
}

// TestCloudflareSDKStaysSmall: the SDK's root package costs minutes of compiling and doubles the binary.
func TestCloudflareSDKStaysSmall(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", module+"cmd/dbmigrate").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for dep := range strings.Lines(string(out)) {
		if strings.TrimSpace(dep) == "github.com/cloudflare/cloudflare-go/v7" {
			t.Error("the root package of cloudflare-go is linked in")
		}
	}
}
