// Package consumers installs the package of the Worker into projects of its users, as they do: the tarball,
// without a registry. Each is type-checked, bundled by wrangler, and answers requests.
package consumers

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
)

// version is what the tests give the package: none that it could have by itself.
const version = "7.8.9"

// consumer is a project of a user.
type consumer struct {
	name string
	// prepare puts the project's files into dir.
	prepare func(t *testing.T, p *project)
	// generated says that `wrangler types` makes the project's types.
	generated bool
	// tested says that the project has tests of its own.
	tested bool
	// page says that it is for browsers: the entries "live" and "react", and no Worker.
	page bool
}

var all = []consumer{
	{name: "template", prepare: mountIntoTemplate, generated: true},
	{name: "written", prepare: mountByInit, generated: true},
	{name: "strict", prepare: copyTestdata},
	{name: "javascript", prepare: copyTestdata},
	{name: "vitest", prepare: copyTestdata, generated: true, tested: true},
	{name: "page", prepare: takePageOfDocs, page: true},
}

// oldestCompiler is the oldest TypeScript that docs/mount.md promises.
const oldestCompiler = "typescript-5.7"

// newerOptions are those that it does not know.
var newerOptions = regexp.MustCompile(`(?m)^.*"erasableSyntaxOnly".*\n`)

// TestConsumers: each project type-checks, is bundled as `wrangler deploy` does, and answers.
func TestConsumers(t *testing.T) {
	home := newHome(t)
	for _, c := range effort.Some(t, "consumers of the package", all, 1) {
		t.Run(c.name, func(t *testing.T) {
			p := home.project(t, c.name)
			c.prepare(t, p)
			p.install()
			if c.generated {
				p.node("wrangler/bin/wrangler.js", "types")
			}
			p.node("typescript/bin/tsc", "--noEmit")
			p.node(oldestCompiler+"/bin/tsc", "--noEmit", "-p", p.olderConfig())
			if c.page {
				p.bundlePage()
				return
			}
			t.Log(p.bundle())
			p.answers()
			if c.tested {
				p.node("vitest/vitest.mjs", "run")
			}
		})
	}
}

// home is a folder outside of the tree with the tools that projects find above them, and the tarball.
type home struct {
	dir, worker, tarball string
}

func newHome(t *testing.T) *home {
	t.Helper()
	worker, err := filepath.Abs("../../worker")
	if err != nil {
		t.Fatal(err)
	}
	for _, inputs := range []string{worker, "testdata"} {
		if err := stack.NoteInputs(inputs, "."); err != nil {
			t.Fatal(err)
		}
	}
	h := &home{dir: t.TempDir(), worker: worker}
	if err := os.Symlink(h.tool(""), filepath.Join(h.dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	built := filepath.Join(h.dir, "built")
	out := run(t, worker, h.tool("node/bin/node"), "package/build.mjs", built, version)
	h.tarball = strings.TrimSpace(out)
	return h
}

func (h *home) tool(name string) string { return filepath.Join(h.worker, "node_modules", name) }

// project is one consumer's folder.
type project struct {
	*home
	t    *testing.T
	name string
	dir  string
}

func (h *home) project(t *testing.T, name string) *project {
	t.Helper()
	p := &project{home: h, t: t, name: name, dir: filepath.Join(h.dir, name)}
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

func copyTestdata(t *testing.T, p *project) {
	t.Helper()
	if err := os.CopyFS(p.dir, os.DirFS(filepath.Join("testdata", p.name))); err != nil {
		t.Fatal(err)
	}
	p.write("package.json", fmt.Sprintf(`{ "name": %q, "private": true, "type": "module" }`, p.name))
}

// takePageOfDocs takes the component with which docs/live-updates.md begins.
func takePageOfDocs(t *testing.T, p *project) {
	t.Helper()
	copyTestdata(t, p)
	docs, err := os.ReadFile("../../docs/live-updates.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, found := strings.Cut(string(docs), "```tsx\n")
	code, _, ended := strings.Cut(code, "```\n")
	if !found || !ended {
		t.Fatal("docs/live-updates.md begins with no component")
	}
	p.write("page.tsx", code)
}

// bundlePage bundles the page as a browser gets it, where a module of the Worker would not be found, and
// loads the entries in Node.js.
func (p *project) bundlePage() {
	p.t.Helper()
	const script = `
		import { build } from "esbuild";
		import { connect, subscribe } from "@dbmigrate/worker/live";
		import { useLiveQuery } from "@dbmigrate/worker/react";
		const { metafile } = await build({
			entryPoints: ["page.tsx"], bundle: true, minify: true, write: false, metafile: true, format: "esm", jsx: "automatic",
			define: { "process.env.NODE_ENV": '"production"' },
		});
		const ours = Object.keys(metafile.inputs).filter((path) => path.includes("@dbmigrate/worker/"));
		const names = ours.map((path) => path.split("@dbmigrate/worker/")[1]).sort();
		console.log(JSON.stringify([names, typeof connect, typeof subscribe, typeof useLiveQuery]));
	`
	p.write("bundle.mjs", script)
	got := strings.TrimSpace(run(p.t, p.dir, p.tool("node/bin/node"), "bundle.mjs"))
	want := `[["client/live.js","client/react.js"],"function","function","function"]`
	if got != want {
		p.t.Errorf("the page is made of %s, not of %s", got, want)
	}
}

// olderConfig is the project's tsconfig.json without newer options.
func (p *project) olderConfig() string {
	p.t.Helper()
	config, err := os.ReadFile(filepath.Join(p.dir, "tsconfig.json"))
	if err != nil {
		p.t.Fatal(err)
	}
	p.write("tsconfig.older.json", newerOptions.ReplaceAllString(string(config), ""))
	return "tsconfig.older.json"
}

// install is `npm install FILE`, where no registry can be asked.
func (p *project) install() {
	p.t.Helper()
	run(p.t, p.dir, "npm", "install", "--offline", "--no-audit", "--no-fund", p.tarball)
}

func (p *project) node(tool string, args ...string) string {
	p.t.Helper()
	return run(p.t, p.dir, p.tool("node/bin/node"), append([]string{p.tool(tool)}, args...)...)
}

// size is what wrangler says of an upload, in KiB.
type size struct{ plain, zipped float64 }

func (s size) String() string {
	return fmt.Sprintf("%.0f KiB, %.0f KiB as gzip", s.plain, s.zipped)
}

var uploadLine = regexp.MustCompile(`Total Upload: ([\d.]+) KiB / gzip: ([\d.]+) KiB`)

func (p *project) bundle(args ...string) size {
	p.t.Helper()
	args = append([]string{"deploy", "--dry-run", "--outdir", "out"}, args...)
	out := p.node("wrangler/bin/wrangler.js", args...)
	found := uploadLine.FindStringSubmatch(out)
	if found == nil {
		p.t.Fatalf("wrangler says no size:\n%s", out)
	}
	plain, errPlain := strconv.ParseFloat(found[1], 64)
	zipped, errZipped := strconv.ParseFloat(found[2], 64)
	if errPlain != nil || errZipped != nil {
		p.t.Fatal(errPlain, errZipped)
	}
	return size{plain, zipped}
}

// answers starts `wrangler dev` and asks for two users, and what the operator asks for first.
func (p *project) answers() {
	p.t.Helper()
	log := new(bytes.Buffer)
	s, err := stack.Start(p.t.Context(), stack.Options{ConfigPath: p.config(), Log: log})
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() {
		if err := s.Stop(); err != nil {
			p.t.Error(err)
		}
		if p.t.Failed() {
			p.t.Log(log)
		}
	}()
	for _, c := range []struct{ path, want string }{
		{"/go?user=alice", `[{"name":"/go"}]`},
		{"/chess?user=bob", `[{"name":"/chess"}]`},
		{"/chess?user=alice", `[{"name":"/go"},{"name":"/chess"}]`},
	} {
		if got := p.get(s.URL+c.path, ""); got != c.want {
			p.t.Errorf("GET %s: %s, not %s", c.path, got, c.want)
		}
	}
	var hello struct {
		Worker string `json:"worker"`
	}
	text := p.get(s.URL+"/_dbmigrate/v1/hello", s.AdminToken)
	if err := json.Unmarshal([]byte(text), &hello); err != nil || hello.Worker != version {
		p.t.Errorf("hello: %s (%v), and the package has version %s", text, err, version)
	}
}

func (p *project) config() string { return filepath.Join(p.dir, "wrangler.jsonc") }

func (p *project) get(url, token string) string {
	p.t.Helper()
	request, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(body)
}

func (p *project) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

func (p *project) read(name string) string {
	p.t.Helper()
	text, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

// run is a command that has to succeed, without the credentials of the machine that runs the tests.
func run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CI=1", "NO_COLOR=1",
		"WRANGLER_SEND_METRICS=false", "WRANGLER_HIDE_BANNER=true",
		"CLOUDFLARE_API_TOKEN=", "CLOUDFLARE_ACCOUNT_ID=", "CLOUDFLARE_CF_FETCH_ENABLED=false")
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s%s", filepath.Base(name), args, err, out, stderr.String())
	}
	return string(out)
}
