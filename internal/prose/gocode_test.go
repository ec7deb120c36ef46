package prose

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// plainFolders are the folders of Go code in which comments and texts have no unplain word.
var plainFolders = []string{"cmd", "deploy", "internal", "scripts", "test"}

// TestGoWords holds comments and texts of Go code to plain words. Names, and a text that is one word, are
// code. So is a code span in a comment.
func TestGoWords(t *testing.T) {
	for _, folder := range plainFolders {
		for _, path := range tracked(t, folder+"/*.go") {
			if strings.HasPrefix(path, "internal/prose/") || strings.Contains(path, "/testdata/") {
				continue
			}
			for _, complaint := range goComplaints(t, path, read(t, path)) {
				t.Error(complaint)
			}
		}
	}
}

// goComplaints returns where a Go file has an unplain word in a comment or a text.
func goComplaints(t *testing.T, path, code string) (found []string) {
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
		if got := goComplaints(t, "p.go", code); len(got) != want {
			t.Errorf("%q: %q", code, got)
		}
	}
}
