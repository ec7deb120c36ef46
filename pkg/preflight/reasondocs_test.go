package preflight_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	_ "modernc.org/sqlite" // the driver

	"github.com/dbmigrate/dbmigrate/pkg/preflight"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// documented is one code of docs/preflight.md.
type documented struct {
	code    sqlitefile.Reason
	verdict sqlitefile.Level
	text    string
}

var (
	codeHeading  = regexp.MustCompile(`(?m)^### (.*)\n`)
	codeVerdict  = regexp.MustCompile(`\AVerdict: (ready|fixable|blocked)\. `)
	codeExample  = regexp.MustCompile("(?s)```sql\n(.*?)```")
	wantsWords   = regexp.MustCompile(`Example: [^.]+\.`)
	wayOut       = regexp.MustCompile(`Fix:\s`)
	promisedCode = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
)

func readDocumented(t *testing.T) []documented {
	t.Helper()
	page, err := os.ReadFile("../../docs/preflight.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "\n## The codes\n")
	headings := codeHeading.FindAllStringSubmatchIndex(rest, -1)
	var codes []documented
	for i, h := range headings {
		end := len(rest)
		if i+1 < len(headings) {
			end = headings[i+1][0]
		}
		d := documented{code: sqlitefile.Reason(rest[h[2]:h[3]]), text: strings.TrimSpace(rest[h[1]:end])}
		m := codeVerdict.FindStringSubmatch(d.text)
		if m == nil {
			t.Fatalf("%s has no verdict", d.code)
		}
		d.verdict = sqlitefile.Level(m[1])
		codes = append(codes, d)
	}
	return codes
}

// The page and the code list the same codes in the same order, each with a verdict, an example and a way out.
func TestEveryCodeIsDocumented(t *testing.T) {
	var codes []sqlitefile.Reason
	for _, d := range readDocumented(t) {
		codes = append(codes, d.code)
		if !promisedCode.MatchString(string(d.code)) {
			t.Errorf("%q is not kebab-case", d.code)
		}
		if !codeExample.MatchString(d.text) && !wantsWords.MatchString(d.text) {
			t.Errorf("%s has no example", d.code)
		}
		if d.code != sqlitefile.ReasonTombstone && !wayOut.MatchString(d.text) {
			t.Errorf("%s has no way out", d.code)
		}
	}
	if !slices.Equal(codes, sqlitefile.Reasons()) {
		t.Errorf("the page has\n%v\nthe code\n%v", codes, sqlitefile.Reasons())
	}
}

func TestDocumentedExamplesAreFound(t *testing.T) {
	for _, d := range readDocumented(t) {
		m := codeExample.FindStringSubmatch(d.text)
		if m == nil {
			continue // in words: TestPreflightFindsInTheFile and TestPreflightFindsInTheSchema make them
		}
		t.Run(string(d.code), func(t *testing.T) {
			report, err := preflight.Check(t.Context(), makeExample(t, m[1]), wire.DefaultLimits)
			if err != nil {
				t.Fatal(err)
			}
			problems := report.Problems()
			if report.Verdict() != d.verdict || len(problems) != 1 || problems[0].Code != d.code ||
				problems[0].Object == "" ||
				problems[0].Detail == "" ||
				problems[0].Fix == "" {
				t.Errorf("verdict %s, want %s: %+v", report.Verdict(), d.verdict, problems)
			}
			if d.verdict == sqlitefile.Ready {
				problems = nil // a warning is no error
			}
			if got := sqlitefile.ProblemsOf(report.Err()); !slices.Equal(got, problems) {
				t.Errorf("the error says %+v", got)
			}
		})
	}
}

func makeExample(t *testing.T, statements string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "example.db")
	db, err := sql.Open("sqlite", "file:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(context.Background(), statements); err != nil {
		t.Fatal(err)
	}
	return path
}
