package consumers

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// mostLines is how many lines mounting the package may add to an application.
const mostLines = 12

// TestDiffOfMount: the diff of docs/mount.md is short.
func TestDiffOfMount(t *testing.T) {
	added := 0
	for line := range strings.Lines(shownDiff(t)) {
		if strings.HasPrefix(line, "+") && !strings.HasPrefix(line, "+++") {
			added++
		}
	}
	if added == 0 || added > mostLines {
		t.Errorf("the diff of docs/mount.md adds %d lines, and may add 1 to %d", added, mostLines)
	}
}

// mountIntoTemplate makes a new application as create-cloudflare does, gives it a D1 database and a query,
// and applies the diff that docs/mount.md shows.
func mountIntoTemplate(t *testing.T, p *project) {
	t.Helper()
	template := p.tool("create-cloudflare/templates/hello-world/ts")
	if err := os.CopyFS(p.dir, os.DirFS(template)); err != nil {
		t.Fatal(err)
	}
	names := strings.NewReplacer(
		"<WORKER_NAME>", "games", "<PACKAGE_NAME>", "games", "<COMPATIBILITY_DATE>", "2026-11-01")
	p.write("wrangler.jsonc", withD1(t, names.Replace(p.read("wrangler.jsonc"))))
	// The tools are there already, in the folder above.
	tools := regexp.MustCompile(`,\s*"devDependencies": \{[^}]*\}`)
	p.write("package.json", tools.ReplaceAllString(names.Replace(p.read("package.json")), ""))
	before, err := os.ReadFile("testdata/template/src/index.ts")
	if err != nil {
		t.Fatal(err)
	}
	p.write("src/index.ts", string(before))
	p.write("mount.diff", shownDiff(t))
	run(t, p.dir, "git", "apply", "--unidiff-zero", "mount.diff")
}

// withD1 is what `wrangler d1 create` adds.
func withD1(t *testing.T, config string) string {
	t.Helper()
	const next = "\t\"observability\""
	if !strings.Contains(config, next) {
		t.Fatalf("the template has another wrangler.jsonc:\n%s", config)
	}
	const database = `	"d1_databases": [{ "binding": "DB", "database_name": "games", "database_id": "0" }],
`
	return strings.Replace(config, next, database+next, 1)
}

var diffBlock = regexp.MustCompile("(?s)```diff\n(.*?)```")

// shownDiff is the diff of docs/mount.md, with tabs as the template has them.
func shownDiff(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/mount.md")
	if err != nil {
		t.Fatal(err)
	}
	found := diffBlock.FindSubmatch(page)
	if found == nil {
		t.Fatal("docs/mount.md shows no diff")
	}
	return string(found[1])
}
