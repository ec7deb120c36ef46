package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// spelt are command lines for names in the first column of the table of rights. Other names are themselves
// command lines.
func spelt(t *testing.T) map[string][]string {
	t.Helper()
	folder, policy := t.TempDir(), policyFile(t)
	if err := os.WriteFile(filepath.Join(folder, "nobody.sqlite"), []byte("SQLite format 3\x00"), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string][]string{
		"history":             {"history nobody"},
		"status":              {"status", "status nobody", "status --all"},
		"verify":              {"verify nobody", "verify --all"},
		"--dry-run":           {"migrate nobody --dry-run", "rollback nobody --dry-run", "forget nobody --dry-run"},
		"backup --to FOLDER":  {"backup nobody --to " + t.TempDir()},
		"backup --to r2:":     {"backup nobody --to r2:copies/"},
		"rollback --rehearse": {"rollback nobody --rehearse"},
		"gc --mark":           {"gc nobody --mark"},
		"gc --confirm":        {"gc nobody --confirm abcdef"},
		"migrate":             {"migrate nobody"},
		"rollback":            {"rollback nobody"},
		"restore":             {"restore --all --from " + folder},
		"thaw":                {"thaw nobody --requested --policy " + policy},
		"forget":              {"forget nobody"},
	}
}

// credentials are the columns that say whether a command can do without one, the variable that holds it, and
// what the command says without it.
var credentials = []struct {
	column         int
	variable, lack string
}{
	{2, "CLOUDFLARE_API_TOKEN", "no Cloudflare API token"},
	{3, "DBMIGRATE_TOKEN", "no admin token"},
}

var codeSpans = regexp.MustCompile("`([^`]+)`")

// TestRights holds the table of rights in docs/scripting.md to the commands: without a credential that the
// table asks for a command says so before it begins, and without another one it goes on.
func TestRights(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(emptyCloud))
	t.Cleanup(server.Close)
	spelt := spelt(t)
	rows := tableOfRights(t)
	if len(rows) < 8 {
		t.Fatalf("docs/scripting.md has %d rows", len(rows))
	}
	for _, row := range rows {
		for _, name := range codeSpans.FindAllStringSubmatch(row[0], -1) {
			lines := spelt[name[1]]
			if lines == nil {
				lines = []string{name[1]}
			}
			for _, c := range credentials {
				for _, line := range lines {
					needed := !strings.Contains(row[c.column], "not needed")
					t.Run(line+" without "+c.variable, func(t *testing.T) {
						t.Parallel()
						said := inCloud(t.Context(), t, server.URL, without(c.variable), strings.Fields(line)...)
						if lacks := strings.Contains(said.stdout+said.stderr, c.lack); lacks != needed {
							t.Errorf("the table says %q: exit %d\n%s%s", row[c.column], said.exit, said.stdout, said.stderr)
						}
					})
				}
			}
		}
	}
}

func without(variable string) func(*app) {
	return func(a *app) {
		all := a.getenv
		a.getenv = func(name string) string {
			if name == variable {
				return ""
			}
			return all(name)
		}
	}
}

// tableOfRights are the cells of each row.
func tableOfRights(t *testing.T) (rows [][]string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/scripting.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n### Rights\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for line := range strings.Lines(section) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "| "), " | ")
		if strings.Contains(cells[0], "`") && len(cells) == 4 {
			rows = append(rows, cells)
		}
	}
	return rows
}
