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
	referenceWords = 40
	// changeLog is exempt from columns and dropped words, for now: its older entries do not keep to them yet.
	changeLog      = "CHANGELOG.md"
	changeLogWords = 70
)

// unplain are words that say neither who acts nor on what.
var unplain = regexp.MustCompile(`(?i)\b(whom|whose|whoever|of whom|of which|anew|he|his|him|she|her)\b`)

// dropped are the words for which the glossary, or plain English, has another one: object, file, roll back,
// cutover, flag, incomplete, no user.
var dropped = regexp.MustCompile(`\b(DOs?|(?i:half-done|put(?:s|ting)? aside|retreats?|revert(?:s|ed)?|unlock(?:s|ed)?|` +
	`routing key|un-?migrate[sd]?|de-?migrate[sd]?|to rollback|rollbacked|cut(?:s|ting)? over|R2 file|database file|` +
	`(?:take|takes|taken|took|taking|give|gives|given|gave)(?: it| them| one user| the user)? back|` +
	`the latter|the former|nobody|say --))\b`)

// reference are the pages that are looked up. Generated tables and quoted licenses are not read here at all.
var reference = []string{
	"docs/cutover.md", "docs/cutover/README.md", "docs/live-updates.md", "docs/mount.md", "docs/performance.md",
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
		limit, found := maxWords, []string{}
		switch {
		case path == changeLog:
			limit = changeLogWords
		case slices.Contains(reference, path):
			limit = referenceWords
		}
		if path != changeLog {
			found = droppedIn(read(t, path))
		}
		for _, complaint := range append(found, complaints(read(t, path), limit)...) {
			t.Errorf("%s: %s", path, complaint)
		}
	}
}

// complaints returns the sentences of a page that are too long or have an unplain word.
func complaints(page string, limit int) []string {
	var found []string
	for _, unit := range units(page) {
		if onlyNames(unit) {
			continue
		}
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

// droppedIn returns what a page says in other words than the glossary's.
func droppedIn(page string) (found []string) {
	for _, unit := range units(page) {
		if word := dropped.FindString(plain(unit)); word != "" {
			found = append(found, "the word "+word+" in: "+unit)
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

// onlyNames says that a cell of a table lists names in code and has no sentence.
func onlyNames(unit string) bool {
	return strings.Trim(codeSpan.ReplaceAllString(unit, ""), " ,") == ""
}

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

// TestHelp holds what commands print about themselves to the same. Its lines are filled for each terminal.
func TestHelp(t *testing.T) {
	texts := tracked(t, "cmd/dbmigrate/help/*.txt")
	if len(texts) == 0 {
		t.Fatal("there is no help")
	}
	for _, path := range texts {
		page := helpPage(read(t, path))
		for _, complaint := range append(droppedIn(page), complaints(page, maxWords)...) {
			t.Errorf("%s: %s", path, complaint)
		}
	}
}

// helpSection is the title of a list in a help text.
var helpSection = regexp.MustCompile(`^(Examples|Effects|Environment|Options):\n$`)

// helpPage makes a page of a help text: without usage and examples, and with a paragraph for each entry of a
// list. What a command reads and changes are lists of things.
func helpPage(text string) string {
	_, text, _ = strings.Cut(text, "\n")
	var page strings.Builder
	title := ""
	for line := range strings.Lines(text) {
		indented := strings.HasPrefix(line, "  ")
		switch {
		case helpSection.MatchString(line):
			title = line
			continue
		case indented && title == "Examples:\n":
			continue
		case indented && title == "Effects:\n":
			line = strings.ReplaceAll(line, ";", "\n\n")
		}
		if indented && !strings.HasPrefix(line, "   ") {
			page.WriteString("\n")
		}
		page.WriteString(strings.TrimLeft(line, " "))
	}
	return page.String()
}

// TestHelpPage is the test's own: long lists are no long sentences, and long sentences are found in them.
func TestHelpPage(t *testing.T) {
	long := strings.Repeat("word ", maxWords+1)
	for text, want := range map[string]int{
		"usage\n" + long + "\n":                                         1,
		"usage\nExamples:\n  " + long + "\n\nShort.\n":                  0,
		"usage\nEffects:\n  reads: " + long + "\n":                      1,
		"usage\nEffects:\n  reads: a" + strings.Repeat("; a", 50):       0,
		"usage\n  --one  short\n         ones\n  --two  " + long + "\n": 1,
	} {
		if got := complaints(helpPage(text), maxWords); len(got) != want {
			t.Errorf("%q: %q", text, got)
		}
	}
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
		"| " + strings.Repeat("`a`, ", maxWords+1) + "`a` |\n":         0,
		"| " + strings.Repeat("`a` and ", maxWords+1) + "`a` |\n":      1,
		"<!-- proof:x -->\n\n" + long + "\n\n<!-- end -->\n\nShort.\n": 0,
	} {
		if got := complaints(page, maxWords); len(got) != want {
			t.Errorf("%q: %q", page, got)
		}
	}
}

// TestDropped is the test's own: each word is found, in a cell too, and none in code or in another word.
func TestDropped(t *testing.T) {
	for page, want := range map[string]int{
		"The DO answers.": 1, "DOs answer.": 1, "It is half-done.": 1, "Cut over the users.": 1, "Nobody waits.": 1,
		"| a | it takes them back |\n": 1, "To take back a user.": 1, "To rollback a user.": 1, "The routing key.": 1,
		"Do it: the object gives up.": 0, "The `DO` in code.": 0, "To roll back, after the cutover.": 0, "Go back.": 0,
	} {
		if got := droppedIn(page); len(got) != want {
			t.Errorf("%q: %q", page, got)
		}
	}
}

// TestColumns holds pages and comments to a width that fits beside a second window. Prettier holds the
// Worker's code to it. A table, a link's target or a code span may be longer.
func TestColumns(t *testing.T) {
	for _, path := range tracked(t, "*.go", "*.md") {
		if strings.HasPrefix(path, "test/corpus/") || path == "docs/cli.md" || path == changeLog {
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
	return !code && !strings.HasPrefix(text, "|") && !strings.HasPrefix(line, "    ") && width(plain(line)) > maxColumns
}
