package dev

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/localruntime"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

const project1 = `
name = "operators-own"
main = "src/index.ts"
compatibility_date = "2026-11-01"
compatibility_flags = ["nodejs_compat"]

[env.staging]
vars = { DATABASE_PATH = "auto", OLD_PATH = "none" }
r2_buckets = [{ binding = "BUCKET", bucket_name = "their-bucket", preview_bucket_name = "another" }]
kv_namespaces = [{ binding = "FLAGS" }]
durable_objects = { bindings = [{ name = "USER_DATA", class_name = "UserDataStore" }] }
migrations = [{ tag = "v1", new_sqlite_classes = ["UserDataStore"] }]
`

// newProject is a project with a Worker of its own, beside nothing but node_modules.
func newProject(t *testing.T, file, content string) string {
	t.Helper()
	dir := t.TempDir()
	worker, err := filepath.Abs("../../worker")
	if err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(worker, "sample", "index.ts")
	write(t, filepath.Join(dir, "src", "index.ts"), `export { default, UserDataStore } from "`+source+`";`)
	write(t, filepath.Join(dir, file), content)
	if err := os.Symlink(filepath.Join(worker, "node_modules"), filepath.Join(dir, "node_modules")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func write(t *testing.T, path, content string) {
	t.Helper()
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(content), 0o600))
	if err != nil {
		t.Fatal(err)
	}
}

// TestRehearsal runs the program in the project of an operator: doctor finds everything local and may write,
// a user moves, the exit code is the command's, and nothing stays.
func TestRehearsal(t *testing.T) {
	binary, err := harness.Build(t.Context(), "../..", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := newProject(t, "wrangler.toml", project1)
	write(t, filepath.Join(dir, ".dev.vars"), "APP_TOKEN=their-own-token\nDBMIGRATE_TOKEN=another-token-of-theirs\n")
	write(t, filepath.Join(dir, "rehearse.sh"), `set -e
dbmigrate doctor --probe-writes
curl -sS --fail-with-body -X POST "$DBMIGRATE_WORKER_URL/api/users/alice/query" -H 'Content-Type: application/json' \
  -H 'Authorization: Bearer their-own-token' \
  --data '{"statements":[{"sql":"CREATE TABLE t(a)"},{"sql":"INSERT INTO t VALUES (1)"}]}'
dbmigrate migrate alice
dbmigrate verify alice
dbmigrate rollback alice
exit 7
`)
	before := namesIn(t, dir)
	cmd := exec.CommandContext(t.Context(), binary, "dev", "--env", "staging", "--", "sh", "rehearse.sh")
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + filepath.Dir(binary) + ":" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir(),
		// Of a real account: none of it may be used.
		"CLOUDFLARE_API_TOKEN=s3cret", "AWS_SESSION_TOKEN=s3cret", "AWS_ENDPOINT_URL_S3=http://127.0.0.1:1",
		"DBMIGRATE_TOKEN=s3cret-token-of-production",
	}
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if code := cmd.ProcessState.ExitCode(); code != 7 {
		t.Errorf("exit code %d (%v), want that of the command, 7", code, err)
	}
	if after := namesIn(t, dir); !reflect.DeepEqual(before, after) {
		t.Errorf("the project has %q, and had %q", after, before)
	}
}

// TestTheCommandHasTheTokenOfTheWorker: also where a variable of the Worker says it.
func TestTheCommandHasTheTokenOfTheWorker(t *testing.T) {
	for given, want := range map[string]string{"": token, "one-of-their-own": "one-of-their-own"} {
		options := Options{Vars: map[string]string{tokenName: given}}
		var got string
		for _, pair := range (&project{}).environ([]string{tokenName + "=production"}, &localruntime.Runtime{}, options) {
			if name, value, _ := strings.Cut(pair, "="); name == tokenName {
				got = value
			}
		}
		if got != want || options.adminToken() != want {
			t.Errorf("with %q the command has %q and the Worker %q, not %q", given, got, options.adminToken(), want)
		}
	}
}

// TestAWorkerThatCannotStart: wrangler would wait for an edit of the source. What it says is told, line by
// line, and nothing stays.
func TestAWorkerThatCannotStart(t *testing.T) {
	dir := newProject(t, "wrangler.toml", project1)
	write(t, filepath.Join(dir, "src", "index.ts"), "export default {};\n")
	before := namesIn(t, dir)
	var said strings.Builder
	in := config.Input{
		Dir: dir, Environment: "staging", EnvironmentSet: true, Getenv: func(string) string { return "" },
	}
	_, err := Run(t.Context(), in, []string{"true"}, Options{Errors: &said})
	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "see what it says above") {
		t.Errorf("error %v", err)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		t.Error("it waited until the end")
	}
	const why = "not exported in your entrypoint file: UserDataStore"
	if text := said.String(); !strings.Contains(text, why) || strings.Contains(text, `\n`) {
		t.Errorf("it says %q", text)
	}
	if after := namesIn(t, dir); !reflect.DeepEqual(before, after) {
		t.Errorf("the project has %q, and had %q", after, before)
	}
}

// namesIn are the files of a folder, without the one that is wrangler's own.
func namesIn(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, entry := range entries {
		if entry.Name() != ".wrangler" {
			names = append(names, entry.Name())
		}
	}
	return names
}

// TestLocalConfig: the operator's own configuration, but for what the local runtime needs.
func TestLocalConfig(t *testing.T) {
	const jsonc = `{ // theirs
  "name": "a", "big": 9007199254740993,
  "r2_buckets": [{ "binding": "B", "bucket_name": "b", "remote": true }, { "binding": "V", "bucket_name": "videos" }],
  "kv_namespaces": [{ "binding": "F", "id": "abc", "preview_id": "def" }, { "binding": "G" }],
  "env": { "x": { "r2_buckets": [{ "binding": "B", "bucket_name": "of-x" }] } },
}`
	credentials := `"local_dev":{"experimental_s3_credentials":{"accessKeyId":"local-key","secretAccessKey":"local-secret"}}`
	of := func(binding, name string) string {
		return `{"binding":"` + binding + `","bucket_name":"` + name + `",` + credentials + `}`
	}
	plain := `"env":{"x":{"r2_buckets":[{"binding":"B","bucket_name":"of-x"}]}}`
	for environment, want := range map[string]string{
		"": `{"big":9007199254740993,` + plain + `,"kv_namespaces":[{"binding":"F","id":"abc"},{"binding":"G","id":"local-flags"}],` +
			`"name":"a","r2_buckets":[` + of("B", "b") + `,` + of("V", "videos") + `]}`,
		"x": `{"big":9007199254740993,"env":{"x":{"r2_buckets":[` + of("B", "of-x") + `]}},` +
			`"kv_namespaces":[{"binding":"F","id":"abc","preview_id":"def"},{"binding":"G"}],"name":"a",` +
			`"r2_buckets":[{"binding":"B","bucket_name":"b","remote":true},{"binding":"V","bucket_name":"videos"}]}`,
	} {
		path := filepath.Join(t.TempDir(), "wrangler.jsonc")
		write(t, path, jsonc)
		got, err := localConfig(path, environment)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		if err := compact(&text, got); err != nil || text.String() != want {
			t.Errorf("environment %q: %v\n%s, want\n%s", environment, err, text.String(), want)
		}
	}
}

func compact(to *strings.Builder, text []byte) error {
	var value any
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		return err
	}
	out, err := json.Marshal(value)
	to.Write(out)
	return err
}

// TestRefusals: what is not said plainly is asked for, before anything starts.
func TestRefusals(t *testing.T) {
	const two = `{"name":"a","r2_buckets":[{"binding":"A","bucket_name":"a"},{"binding":"B","bucket_name":"b"}],` +
		`"kv_namespaces":[{"binding":"F","id":"f"}]}`
	for _, c := range []struct {
		name, content string
		flags         config.Values
		says          string
	}{
		{"nothing", "", config.Values{}, "no wrangler configuration here or above"},
		{"no JSON", `{"name":`, config.Values{}, "wrangler.jsonc"},
		{"no bucket", `{"name":"a"}`, config.Values{}, "binds none"},
		{"two buckets", two, config.Values{}, "a (A), b (B)"},
		{"another bucket", two, config.Values{Bucket: "c"}, "does not bind it"},
		{"another namespace", two, config.Values{Bucket: "a", KVNamespace: "g"}, "does not bind it"},
		{"no namespace", `{"name":"a","r2_buckets":[{"binding":"A","bucket_name":"a"}]}`, config.Values{}, "KV namespace"},
		{"an environment that is not chosen", project1, config.Values{}, "staging"},
		{"no wrangler", two, config.Values{Bucket: "a"}, "npm install"},
	} {
		dir := t.TempDir()
		file := "wrangler.jsonc"
		if strings.Contains(c.content, "[env") {
			file = "wrangler.toml"
		}
		if c.content != "" {
			write(t, filepath.Join(dir, file), c.content)
		}
		in := config.Input{Flags: c.flags, Dir: dir, Getenv: func(string) string { return "" }}
		_, err := Run(t.Context(), in, []string{"false"}, Options{})
		if userdb.KindOf(err) != userdb.Usage || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want a usage error that says %q", c.name, err, c.says)
		}
		if left := namesIn(t, dir); len(left) > 1 {
			t.Errorf("%s: it leaves %q", c.name, left)
		}
	}
}
