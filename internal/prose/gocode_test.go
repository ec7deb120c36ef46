package prose

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// plainFolders are the folders of Go code in which comments and texts have no unplain word.
var plainFolders = []string{"cmd", "deploy", "internal", "pkg", "scripts", "test"}

// plainComments are the folders in which only the comments are held to it: messages for users, and test data,
// are texts there.
var plainComments = []string{"worker"}

// TestGoWords holds comments and texts of Go code to plain words. Names, and a text that is one word, are
// code. So is a code span in a comment.
func TestGoWords(t *testing.T) {
	for _, folder := range slices.Concat(plainFolders, plainComments) {
		for _, path := range tracked(t, folder+"/*.go") {
			if strings.HasPrefix(path, "internal/prose/") || strings.Contains(path, "/testdata/") {
				continue
			}
			texts := !slices.Contains(plainComments, folder)
			for _, complaint := range goComplaints(t, path, read(t, path), texts) {
				t.Error(complaint)
			}
		}
	}
}

// TestTypeScriptWords holds the comments of the Worker's code to plain words.
func TestTypeScriptWords(t *testing.T) {
	paths := tracked(t, "worker/*.ts")
	if len(paths) == 0 {
		t.Fatal("the Worker has no TypeScript files")
	}
	for _, path := range paths {
		for _, complaint := range typeScriptComplaints(path, read(t, path)) {
			t.Error(complaint)
		}
	}
}

// typeScriptComment finds a comment to the end of its line, or a line of a comment over several lines.
var typeScriptComment = regexp.MustCompile(`(?:^|\s)//\s.*|^\s*/?\*.*`)

// typeScriptComplaints returns where a TypeScript file has an unplain word in a comment.
func typeScriptComplaints(path, code string) (found []string) {
	number := 0
	for line := range strings.Lines(code) {
		number++
		if word := unplain.FindString(plain(typeScriptComment.FindString(line))); word != "" {
			found = append(found, fmt.Sprintf("%s:%d: the word %s in: %s", path, number, word, strings.TrimSpace(line)))
		}
	}
	return found
}

// TestTypeScriptComplaints is the test's own: comments are read, and code is not.
func TestTypeScriptComplaints(t *testing.T) {
	for code, want := range map[string]int{
		"// A row whose key it is.":            1,
		"/** Begins anew. */":                  1,
		"/**\n * Sends what\n * he has.\n */":  1,
		"const a = 1; // his":                  1,
		"it(\"begins anew\", () => {});":       0,
		"const whose = \"a//anew\";":           0,
		"const a = whose; // the name `whose`": 0,
	} {
		if got := typeScriptComplaints("p.ts", code); len(got) != want {
			t.Errorf("%q: %q", code, got)
		}
	}
}

// goComplaints returns where a Go file has an unplain word in a comment or, with texts, in a text.
func goComplaints(t *testing.T, path, code string, texts bool) (found []string) {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, filepath.ToSlash(path), code, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	check := func(at token.Pos, text string) {
		for line := range strings.Lines(text) {
			if word := unplain.FindString(plain(line)); word != "" {
				found = append(found, files.Position(at).String()+": the word "+word+" in: "+strings.TrimSpace(line))
			}
		}
	}
	for _, group := range file.Comments {
		for _, comment := range group.List {
			check(comment.Slash, comment.Text)
		}
	}
	if !texts {
		return found
	}
	ast.Inspect(file, func(n ast.Node) bool {
		if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
			text, _ := strconv.Unquote(literal.Value)
			if strings.Contains(strings.TrimSpace(text), " ") {
				check(literal.ValuePos, text)
			}
		}
		return true
	})
	return found
}

// TestGoCommentsAlone is the test's own: without texts, only comments are read.
func TestGoCommentsAlone(t *testing.T) {
	code := "package p\n\nvar _ = \"write it anew\" // his\n"
	if got := goComplaints(t, "p.go", code, false); len(got) != 1 {
		t.Error(got)
	}
}

// TestGoComplaints is the test's own: comments and texts are read, and code is not.
func TestGoComplaints(t *testing.T) {
	for code, want := range map[string]int{
		"// The user whose file it is.\npackage p": 1,
		"package p\n\nvar whose int // him":        1,
		"package p\n\nvar _ = \"write it anew\"":   1,
		"package p\n\nvar _ = `a\nbuilt anew b`":   1,
		"package p\n\n/* a\nbuilt anew */":         1,
		"package p\n\nvar _ = \"he\"":              0,
		"package p\n\nvar whose int // `his` name": 0,
	} {
		if got := goComplaints(t, "p.go", code, true); len(got) != want {
			t.Errorf("%q: %q", code, got)
		}
	}
}
