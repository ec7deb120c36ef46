package architecture

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// longest is how many lines a function has at most, in Go and in TypeScript, tests apart.
const longest = 60

// span is a function: where it begins, and how many lines it has.
type span struct {
	name  string
	first int
	lines int
}

func goFunctions(t *testing.T, path string) (found []span) {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			first := set.Position(f.Pos()).Line
			found = append(found, span{f.Name.Name, first, set.Position(f.End()).Line - first + 1})
		}
	}
	return found
}

// opened is the first line of a function or of a method, as the formatter writes it: its end is the first
// closing brace in the same column.
var opened = regexp.MustCompile(
	`^( *)(?:(?:export |default |async |static |private |protected |override |readonly |get |set )*` +
		`(?:function\*? *)?)(#?\w+)(?:<.*>)?\(`,
)

var statements = regexp.MustCompile(`^(if|for|while|switch|catch|return|super|await|throw|new)$`)

func typeScriptFunctions(text string) (found []span) {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		head := opened.FindStringSubmatch(line)
		if head == nil || statements.MatchString(head[2]) || strings.HasSuffix(line, ";") {
			continue
		}
		for j := i + 1; j < len(lines); j++ {
			if lines[j] == head[1]+"}" {
				found = append(found, span{head[2], i + 1, j - i + 1})
				break
			}
			if lines[j] != "" && !strings.HasPrefix(lines[j], head[1]+" ") &&
				!strings.HasPrefix(lines[j], head[1]+")") {
				break // it was a call, and no function
			}
		}
	}
	return found
}

// TestLengthOfFunctions: what does not fit on a screen is read in parts, and so is better written in parts.
func TestLengthOfFunctions(t *testing.T) {
	seen := map[string]int{}
	for _, dir := range []string{"cmd", "pkg", "internal", "scripts", "test", "worker/src"} {
		err := filepath.WalkDir(filepath.Join("../..", dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || strings.HasSuffix(path, "_test.go") {
				return err
			}
			var found []span
			switch filepath.Ext(path) {
			case ".go":
				found = goFunctions(t, path)
			case ".ts":
				text, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				found = typeScriptFunctions(string(text))
			}
			seen[filepath.Ext(path)] += len(found)
			for _, f := range found {
				if f.lines > longest {
					t.Errorf("%s:%d: %s has %d lines, more than %d", path, f.first, f.name, f.lines, longest)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen[".go"] < 1000 || seen[".ts"] < 500 {
		t.Errorf("only so many functions were found: %v", seen)
	}
}

// TestTypeScriptFunctions: the lengths are those of functions and methods, and of nothing else.
func TestTypeScriptFunctions(t *testing.T) {
	const text = `export async function one(
  a: number,
): Promise<void> {
  if (a) {
    call(
      a,
    );
  }
}

class Two {
  async #three<T>(a: T): Promise<T> {
    return a;
  }
}
`
	got := typeScriptFunctions(text)
	if len(got) != 2 || got[0] != (span{"one", 1, 9}) || got[1] != (span{"#three", 12, 3}) {
		t.Errorf("%v", got)
	}
}
