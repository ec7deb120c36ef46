// Package prose holds the rules for what people read: pages and comments. The words are those of
// docs/glossary.md.
package prose

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

const (
	root       = "../.."
	maxColumns = 110
	// maxWords is the longest sentence of a page that is read from top to bottom.
	maxWords = 25
	// referenceWords is the longest entry of a page that is looked up: lists of fields are sentences there.
	referenceWords = 70
)

// unplain are words that say neither who acts nor on what.
var unplain = regexp.MustCompile(`(?i)\b(whom|whose|whoever|of whom|of which|anew|he|his|him|she|her)\b`)

// reference are the pages that are looked up. Generated tables and quoted licenses are not read here at all.
var reference = []string{
	"CHANGELOG.md", "docs/cutover.md", "docs/cutover/README.md", "docs/live-updates.md", "docs/mount.md", "docs/performance.md",
	"docs/preflight.md", "docs/proofs.md", "docs/scripting.md", "docs/split.md", "docs/wire-format.md", "pkg/wire/testdata/vectors/README.md",
}

func pages(t *testing.T) []string {
	t.Helper()
	return slices.DeleteFunc(tracked(t, "*.md"), func(path string) bool {
		return strings.HasPrefix(path, "test/corpus/") || strings.HasPrefix(path, "docs/notes/") ||
			path == "docs/performance.md" || path == "docs/proofs.md"
	})
}

func tracked(t *testing.T, patterns ...string) []string {
	t.Helper()
	list := exec.Command(
		"git",
		append([]string{"ls-files", "--cached", "--others", "--exclude-standard"}, patterns...)...)
	list.Dir = root
	out, err := list.Output()
	if err != nil {
		t.Fatalf("list the files: this test needs git and a clone of the repository: %v", err)
	}
	return slices.DeleteFunc(strings.Fields(string(out)), func(path string) bool {
		_, err := os.Stat(filepath.Join(root, path))
		return err != nil // deleted and not yet committed
	})
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPages(t *testing.T) {
	for _, path := range pages(t) {
		limit := maxWords
		if slices.Contains(reference, path) {
			limit = referenceWords
		}
		for _, complaint := range complaints(read(t, path), limit) {
			t.Errorf("%s: %s", path, complaint)
		}
	}
}

// complaints returns the sentences of a page that are too long or have an unplain word.
func complaints(page string, limit int) []string {
	var found []string
	for _, unit := range units(page) {
		for _, sentence := range sentenceEnd.Split(plain(unit), -1) {
			if word := unplain.FindString(sentence); word != "" {
				found = append(found, "the word "+word+" in: "+sentence)
			}
			if len(strings.Fields(sentence)) > limit {
				found = append(found, "too long: "+sentence)
			}
		}
	}
	return found
}

var (
	sentenceEnd = regexp.MustCompile(`[.?!]\s+`)
	codeSpan    = regexp.MustCompile("`[^`]*`")
	linkTarget  = regexp.MustCompile(`\]\([^)]*\)`)
	listItem    = regexp.MustCompile(`^\s*([-*]|\d+\.)\s`)
)

// plain leaves a code span as one word and a link as its text.
func plain(text string) string {
	return linkTarget.ReplaceAllString(codeSpan.ReplaceAllString(text, "X"), "]")
}

// units returns the paragraphs, list items and table cells of a page. Code and generated parts are left out.
func units(page string) []string {
	var list []string
	var paragraph []string
	end := func() {
		list = append(list, strings.Join(paragraph, " "))
		paragraph = nil
	}
	code, generated := false, false
	for line := range strings.Lines(page) {
		line = strings.TrimRight(line, "\n")
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "```"):
			code = !code
			end()
		case strings.HasPrefix(line, "<!--"):
			generated = !strings.Contains(line, "end")
			end()
		case code || generated:
		case strings.HasPrefix(strings.TrimSpace(line), "|"):
			end()
			list = append(list, strings.Split(line, "|")...)
		case strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") || len(paragraph) == 0 && strings.HasPrefix(line, "    "):
			end()
		case listItem.MatchString(line):
			end()
			paragraph = append(paragraph, line)
		default:
			paragraph = append(paragraph, strings.TrimSpace(line))
		}
	}
	end()
	return list
}

// TestComplaints is the test's own: a long sentence, a word, and what is neither.
func TestComplaints(t *testing.T) {
	long := strings.Repeat("word ", maxWords+1)
	for page, want := range map[string]int{
		long:                          1,
		"The user whose file it is.":  1,
		"Rows, of which one is his.":  1,
		"A short one. `his` is code.": 0,
		"```\n" + long + "\n```\n":    0,
		"| a | " + long + "|\n":       1,
		"- " + long + "\n- short\n":   1,
		"<!-- proof:x -->\n\n" + long + "\n\n<!-- end -->\n\nShort.\n": 0,
	} {
		if got := complaints(page, maxWords); len(got) != want {
			t.Errorf("%q: %q", page, got)
		}
	}
}

// TestColumns holds pages and comments to a width that fits beside a second window. Prettier holds the
// Worker's code to it. A table, a link or a code span may be longer.
func TestColumns(t *testing.T) {
	for _, path := range tracked(t, "*.go", "*.md") {
		if strings.HasPrefix(path, "test/corpus/") || path == "docs/cli.md" {
			continue
		}
		number, code := 0, false
		for line := range strings.Lines(read(t, path)) {
			number++
			if strings.HasPrefix(strings.TrimSpace(line), "```") {
				code = !code
			}
			if width(line) > maxColumns && isProse(path, line, code) {
				t.Errorf("%s:%d has %d columns: %s", path, number, width(line), line)
			}
		}
	}
}

// TestShortPages holds the two pages of figures to what a reader needs: docs/notes has the rest.
func TestShortPages(t *testing.T) {
	for _, path := range []string{"docs/proofs.md", "docs/performance.md"} {
		words := 0
		for _, word := range strings.Fields(read(t, path)) {
			if strings.ContainsFunc(word, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
				words++
			}
		}
		if words > 800 {
			t.Errorf("%s has %d words, more than 800", path, words)
		}
	}
}

func width(line string) int {
	return utf8.RuneCountInString(strings.ReplaceAll(strings.TrimRight(line, "\n"), "\t", "    "))
}

func isProse(path, line string, code bool) bool {
	text := strings.TrimSpace(line)
	if strings.HasSuffix(path, ".go") {
		return strings.HasPrefix(text, "// ") && !strings.HasPrefix(text, "//  ") && !strings.Contains(text, "http")
	}
	return !code && !strings.HasPrefix(text, "|") && !strings.HasPrefix(line, "    ") && !strings.ContainsAny(text, "`[<")
}
