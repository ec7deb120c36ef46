package consumers

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/initialize"
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

// mountIntoTemplate makes a new application, and applies the diff that docs/mount.md shows.
func mountIntoTemplate(t *testing.T, p *project) {
	t.Helper()
	newApplication(t, p)
	p.write("mount.diff", shownDiff(t))
	run(t, p.dir, "git", "apply", "--unidiff-zero", "mount.diff")
}

// mountByInit lets `dbmigrate init --worker --write` mount the package into the same application. The lines
// that it leaves to people go where it says.
func mountByInit(t *testing.T, p *project) {
	t.Helper()
	newApplication(t, p)
	lines := p.read("wrangler.jsonc")
	in := config.Input{Dir: p.dir, Getenv: func(string) string { return "" }}
	in.Flags.Bucket, in.Flags.KVNamespace = "user-data", "flags-namespace-id"
	for _, added := range []int{5, 0} {
		w, err := initialize.WriteWorker(in, false)
		if err != nil || w.Added != added || w.Made != (added > 0) {
			t.Fatalf("%+v, %v", w, err)
		}
		if added == 0 {
			continue
		}
		for line := range strings.Lines(lines) {
			if !strings.Contains(p.read("wrangler.jsonc"), line) {
				t.Errorf("wrangler.jsonc has lost %q", line)
			}
		}
		head, body, found := strings.Cut(w.Code, "// In fetch(request, env):\n")
		if !found {
			t.Fatalf("the code has another form:\n%s", w.Code)
		}
		const before = "\t\tconst db = env.DB;\n"
		code := p.read("src/index.ts")
		if strings.Count(code, before) != 1 {
			t.Fatalf("the application has another form:\n%s", code)
		}
		p.write("src/index.ts", head+strings.Replace(code, before, body, 1))
	}
}

// newApplication makes what create-cloudflare makes, with a D1 database and a query.
func newApplication(t *testing.T, p *project) {
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
