package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

const plainFile = `{
  // one environment, comments and a trailing comma
  "name": "app",
  "account_id": "acc-file",
  "routes": [{ "pattern": "app.example.com", "custom_domain": true }],
  "r2_buckets": [{ "binding": "BUCKET", "bucket_name": "users", "jurisdiction": "eu" }],
  "kv_namespaces": [{ "binding": "FLAGS", "id": "kv-file" }],
}`

const tomlFile = `
name = "app"
account_id = "acc-file"
route = "app.example.com/*"

[[r2_buckets]]
binding = "BUCKET"
bucket_name = "users"

[[kv_namespaces]]
binding = "FLAGS"
id = "kv-file"

[vars]
ratio = nan
`

const environmentsFile = `{
  "account_id": "acc-top",
  "route": "top.example.com/*",
  "r2_buckets": [{ "binding": "BUCKET", "bucket_name": "top" }],
  "kv_namespaces": [{ "binding": "FLAGS", "id": "kv-top" }],
  "env": {
    "staging": { "account_id": "acc-staging", "r2_buckets": [{ "binding": "BUCKET", "bucket_name": "staging" }] },
    "production": {
      "r2_buckets": [{ "binding": "BUCKET", "bucket_name": "prod" }, { "binding": "VIDEOS", "bucket_name": "videos" }],
      "kv_namespaces": [{ "binding": "FLAGS", "id": "kv-prod" }]
    }
  }
}`

// load runs Load in a folder two levels below the one that holds the files.
func load(t *testing.T, in Input, files, env map[string]string) (Config, error) {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	in.Dir = filepath.Join(root, "packages", "app")
	if err := os.MkdirAll(in.Dir, 0o700); err != nil {
		t.Fatal(err)
	}
	in.Getenv = func(name string) string { return env[name] }
	return Load(in)
}

func wantValues(t *testing.T, c Config, want string) {
	t.Helper()
	got := fmt.Sprintf("%s %s %s %s %s", c.AccountID, c.Bucket, c.KVNamespace, c.WorkerURL, c.R2Endpoint)
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWranglerFiles(t *testing.T) {
	const plain = "acc-file users kv-file https://app.example.com https://acc-file"
	for name, test := range map[string]struct{ file, text, want string }{
		"jsonc": {"wrangler.jsonc", plainFile, plain + ".eu.r2.cloudflarestorage.com"},
		"json":  {"wrangler.json", plainFile, plain + ".eu.r2.cloudflarestorage.com"},
		"toml":  {"wrangler.toml", tomlFile, plain + ".r2.cloudflarestorage.com"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := load(t, Input{}, map[string]string{test.file: test.text}, nil)
			if err != nil {
				t.Fatal(err)
			}
			wantValues(t, c, test.want)
			if filepath.Base(c.File) != test.file || c.Layout != userdb.DefaultLayout {
				t.Errorf("file %q, layout %q", c.File, c.Layout)
			}
		})
	}
}

func TestPrecedence(t *testing.T) {
	env := map[string]string{
		"DBMIGRATE_BUCKET":     "env-bucket",
		"DBMIGRATE_WORKER_URL": "https://env.example.com/",
		"CLOUDFLARE_BASE_URL":  "https://api.example.com",
	}
	c, err := load(
		t,
		Input{Flags: Values{Bucket: "flag-bucket"}},
		map[string]string{"wrangler.jsonc": plainFile},
		env,
	)
	if err != nil {
		t.Fatal(err)
	}
	// The jurisdiction belonged to another bucket.
	wantValues(
		t,
		c,
		"acc-file flag-bucket kv-file https://env.example.com https://acc-file.r2.cloudflarestorage.com",
	)
	if c.APIBaseURL != "https://api.example.com" {
		t.Errorf("APIBaseURL = %q", c.APIBaseURL)
	}
}

func TestEnvironments(t *testing.T) {
	files := map[string]string{"wrangler.jsonc": environmentsFile}
	for name, test := range map[string]struct {
		in   Input
		env  map[string]string
		want string
	}{
		"flag":     {in: Input{Environment: "staging", EnvironmentSet: true}, want: "acc-staging staging  https://top.example.com https://acc-staging.r2.cloudflarestorage.com"},
		"variable": {env: map[string]string{"CLOUDFLARE_ENV": "staging"}, want: "acc-staging staging  https://top.example.com https://acc-staging.r2.cloudflarestorage.com"},
		"flag first": {in: Input{Environment: "staging", EnvironmentSet: true}, env: map[string]string{"CLOUDFLARE_ENV": "production"},
			want: "acc-staging staging  https://top.example.com https://acc-staging.r2.cloudflarestorage.com"},
		"top level": {in: Input{EnvironmentSet: true}, want: "acc-top top kv-top https://top.example.com https://acc-top.r2.cloudflarestorage.com"},
		"one bucket of two": {in: Input{Environment: "production", EnvironmentSet: true, Flags: Values{Bucket: "prod"}},
			want: "acc-top prod kv-prod https://top.example.com https://acc-top.r2.cloudflarestorage.com"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := load(t, test.in, files, test.env)
			if err != nil {
				t.Fatal(err)
			}
			wantValues(t, c, test.want)
		})
	}
}

func TestLoadRefuses(t *testing.T) {
	withEnvironments := map[string]string{"wrangler.jsonc": environmentsFile}
	for name, test := range map[string]struct {
		in    Input
		files map[string]string
		env   map[string]string
		want  string
	}{
		"no environment chosen":  {files: withEnvironments, want: "has the environments production, staging, and none was chosen"},
		"unknown environment":    {in: Input{Environment: "prodution", EnvironmentSet: true}, files: withEnvironments, want: "did you mean production?"},
		"environment, no file":   {in: Input{Environment: "production", EnvironmentSet: true}, want: "there is no wrangler file"},
		"two buckets":            {in: Input{Environment: "production", EnvironmentSet: true}, files: withEnvironments, want: "prod (BUCKET), videos (VIDEOS)"},
		"no such file":           {in: Input{File: "other.jsonc"}, want: "read other.jsonc: no such file"},
		"broken file":            {files: map[string]string{"wrangler.json": "{\n  oops"}, want: "line 2"},
		"broken toml":            {files: map[string]string{"wrangler.toml": "a = = 1"}, want: "line 1"},
		"two accounts":           {files: map[string]string{"wrangler.jsonc": plainFile}, env: map[string]string{"CLOUDFLARE_ACCOUNT_ID": "acc-env"}, want: "choose with --account-id"},
		"a token in a query":     {env: map[string]string{"DBMIGRATE_WORKER_URL": "https://app.example.com/x?token=s3cret"}, want: `"https://app.example.com/x"`},
		"a token in a fragment":  {env: map[string]string{"AWS_ENDPOINT_URL_S3": "https://r2.example.com#s3cret"}, want: "holds a user, a query"},
		"a password with @":      {env: map[string]string{"DBMIGRATE_WORKER_URL": "https://u:a@s3cret@app.example.com"}, want: `"https://app.example.com"`},
		"a password with ?":      {env: map[string]string{"DBMIGRATE_WORKER_URL": "https://u:1?s3cret@app.example.com"}, want: `"..."`},
		"a query with @":         {env: map[string]string{"CLOUDFLARE_API_BASE_URL": "https://api.example.com?x=a@s3cret"}, want: `"..."`},
		"half a key":             {env: map[string]string{"AWS_ACCESS_KEY_ID": "id"}, want: "set AWS_SECRET_ACCESS_KEY too"},
		"half an alias":          {env: map[string]string{"R2_SECRET_ACCESS_KEY": "s3cret"}, want: "set R2_ACCESS_KEY_ID too"},
		"half a service token":   {env: map[string]string{"CLOUDFLARE_ACCESS_CLIENT_ID": "id"}, want: "set CLOUDFLARE_ACCESS_CLIENT_SECRET too"},
		"unencrypted Worker":     {in: Input{Flags: Values{WorkerURL: "http://app.example.com"}}, want: "use https"},
		"URL without a scheme":   {in: Input{Flags: Values{WorkerURL: "app.example.com"}}, want: "write it with https://"},
		"URL with a password":    {in: Input{Flags: Values{WorkerURL: "https://u:s3cret@app.example.com"}}, want: "credentials come from the environment"},
		"mistyped location hint": {in: Input{Flags: Values{LocationHint: "wuer"}}, want: "did you mean weur?"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, test.in, test.files, test.env)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Fatalf("error %v, want %q in it", err, test.want)
			}
			if userdb.KindOf(err) != userdb.Usage {
				t.Errorf("kind %q", userdb.KindOf(err))
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error shows a secret: %v", err)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the error has several lines: %v", err)
			}
		})
	}
}

// A job that says everything itself does not stumble over a file that it does not need.
func TestFileIsNotReadWithoutNeed(t *testing.T) {
	env := map[string]string{
		"CLOUDFLARE_ACCOUNT_ID":  "a",
		"DBMIGRATE_BUCKET":       "b",
		"DBMIGRATE_KV_NAMESPACE": "k",
		"DBMIGRATE_WORKER_URL":   "http://127.0.0.1:8787",
	}
	c, err := load(
		t,
		Input{},
		map[string]string{"wrangler.jsonc": environmentsFile, "wrangler.json": "broken"},
		env,
	)
	if err != nil {
		t.Fatal(err)
	}
	wantValues(t, c, "a b k http://127.0.0.1:8787 https://a.r2.cloudflarestorage.com")
}

func TestNeeds(t *testing.T) {
	var c Config
	for name, test := range map[string]struct {
		need func() error
		give []func()
	}{
		"R2":     {func() error { return c.Need(R2) }, []func(){func() { c.Bucket = "b" }, func() { c.R2Endpoint = "https://e" }, func() { c.AccessKeyID = "id" }}},
		"KV":     {func() error { return c.Need(KV) }, []func(){func() { c.KVNamespace = "k" }, func() { c.AccountID = "a" }, func() { c.APIToken = "t" }}},
		"Worker": {func() error { return c.Need(Worker) }, []func(){func() { c.WorkerURL = "https://w" }, func() { c.Token = "fifteen-bytes-x" }, func() { c.Token = "sixteen-bytes-xx" }}},
	} {
		c = Config{}
		for i, give := range test.give {
			if err := test.need(); userdb.KindOf(err) != userdb.Usage {
				t.Errorf("%s: after %d settings: %v, want a usage error", name, i, err)
			}
			give()
		}
		if err := test.need(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestEverythingMissingIsNamed: a person mends a configuration once, and not once for each setting.
func TestEverythingMissingIsNamed(t *testing.T) {
	c := Config{Values: Values{WorkerURL: "https://w"}}
	err := c.Need(R2, KV, Worker)
	want := "no bucket, no account, no R2 access key, no KV namespace, no Cloudflare API token and no admin token in flags, environment or a wrangler file"
	if err == nil || !strings.HasPrefix(err.Error(), want+" (set --bucket ") || strings.Count(err.Error(), "CLOUDFLARE_ACCOUNT_ID") != 1 {
		t.Error(err)
	}
	c.Token = "short"
	if err := c.Need(R2, Worker); !strings.HasPrefix(err.Error(), "no bucket, no account and no R2 access key in ") {
		t.Error(err)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	c, err := load(t, Input{}, nil, map[string]string{
		"DBMIGRATE_TOKEN": "s3cret", "CLOUDFLARE_API_TOKEN": "s3cret", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "s3cret", "AWS_SESSION_TOKEN": "s3cret",
		"CLOUDFLARE_ACCESS_CLIENT_ID": "id", "CLOUDFLARE_ACCESS_CLIENT_SECRET": "s3cret",
	})
	if err != nil {
		t.Fatal(err)
	}
	asJSON, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if all := fmt.Sprintf("%v %+v %#v %s", c, c, c, asJSON); strings.Contains(all, "s3cret") {
		t.Errorf("a secret is printed: %s", all)
	}
	if c.Token.Reveal() != "s3cret" || c.SecretKey.Reveal() != "s3cret" {
		t.Error("a secret is lost")
	}
}

func TestR2NamesGoFirst(t *testing.T) {
	c, err := load(t, Input{}, nil, map[string]string{
		"AWS_ACCESS_KEY_ID": "aws", "AWS_SECRET_ACCESS_KEY": "x", "AWS_SESSION_TOKEN": "y", "R2_ACCESS_KEY_ID": "r2", "R2_SECRET_ACCESS_KEY": "z"})
	if err != nil || c.AccessKeyID != "r2" || c.SecretKey.Reveal() != "z" || c.SessionToken != "" {
		t.Errorf("got %q, %q, %q, %v", c.AccessKeyID, c.SecretKey.Reveal(), c.SessionToken.Reveal(), err)
	}
}
