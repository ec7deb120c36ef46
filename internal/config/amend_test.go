package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var someAdditions = []Addition{
	{Path: []string{"compatibility_flags"}, Word: "nodejs_compat"},
	{Path: []string{"r2_buckets"}, Fields: []Field{{"binding", "BUCKET"}, {"bucket_name", `a"b<c`}}},
	{Path: []string{"durable_objects", "bindings"}, Fields: []Field{{"name", "S"}, {"class_name", "Store"}}},
	{Path: []string{"migrations"}, Fields: []Field{{"tag", "v2"}, {"new_sqlite_classes", []string{"Store"}}}},
}

// jsonFiles are forms that people give their files. What stands in them has to stay, in its order.
var jsonFiles = map[string]string{
	"empty":           `{}`,
	"one line":        `{ "name": "a" }`,
	"trailing comma":  "{\n\t\"name\": \"a\", // the name\n\t/* the end */\n}\n",
	"comment behind":  "{\n  \"name\": \"a\" // the name, {not} /* the end\n  // and here\n}",
	"block behind":    "{\n  \"name\": \"a\" /* the\n name */\n}",
	"two on the line": "{ \"name\": \"a\",\n  \"main\": \"b\" }",
	"windows":         "{\r\n  \"name\": \"a\",\r\n  \"migrations\": [\r\n    { \"tag\": \"v1\" }\r\n  ]\r\n}\r\n",
	"lists": `{
  "compatibility_flags": [],
  "r2_buckets": [
    // mine
    { "binding": "A", "bucket_name": "a" }, // the first
  ],
  "durable_objects": { "bindings": [{ "name": "R", "class_name": "Room" }] },
  "migrations": [{ "tag": "v1", "new_sqlite_classes": ["Room"] }]
}`,
	"an object without the list": `{ "durable_objects": {}, "name": "r2_buckets" }`,
	"the name elsewhere":         `{ "vars": { "r2_buckets": [], "migrations": 1 }, "env": { "x": { "migrations": [] } } }`,
	"said twice":                 `{ "r2_buckets": 1, "r2_buckets": [{ "binding": "A" }] }`,
}

var tomlFiles = map[string]string{
	"empty":      "",
	"plain":      "name = \"a\"\n# the end\n",
	"no newline": "name = \"a\"",
	"tables":     "name = \"a\" # the name\n\n# mine\n[vars]\nx = \"1\"\n\n[[r2_buckets]]\nbinding = \"A\"\nbucket_name = \"a\"\n",
	"brackets": "compatibility_flags = [\n  \"a\",\n]\nr2_buckets = [{ binding = \"A\", bucket_name = \"a\" }]\n" +
		"durable_objects.bindings = []\n",
	"a section": "compatibility_flags = []\n[durable_objects]\nbindings = [ { name = \"R\", class_name = \"Room\" } ]\n[vars]\ny = 2\n",
	"windows":   "name = \"a\"\r\n[vars]\r\nx = 1\r\n",
}

func TestAmendKeepsWhatStandsThere(t *testing.T) {
	for _, kind := range []struct {
		isTOML bool
		files  map[string]string
	}{{false, jsonFiles}, {true, tomlFiles}} {
		for name, text := range kind.files {
			t.Run(name, func(t *testing.T) {
				got, err := amended([]byte(text), kind.isTOML, someAdditions)
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%s", got)
				if !isWithin(text, string(got)) {
					t.Errorf("of\n%s\nsomething is gone in\n%s", text, got)
				}
				if strings.Count(text, "\r\n") == strings.Count(text, "\n") && text != "" && strings.Contains(text, "\r") &&
					!kind.isTOML && strings.Count(string(got), "\r\n") != strings.Count(string(got), "\n") {
					t.Errorf("two kinds of line ends:\n%q", got)
				}
				for line := range strings.Lines(text) {
					if _, comment, found := strings.Cut(line, "// "); found && !strings.Contains(string(got), strings.TrimRight(comment, "\r\n")+"\n") {
						t.Errorf("the comment %q has got another line:\n%s", comment, got)
					}
				}
			})
		}
	}
}

// isWithin says that every byte of text is in got, in this order.
func isWithin(text, got string) bool {
	for _, b := range []byte(text) {
		at := strings.IndexByte(got, b)
		if at < 0 {
			return false
		}
		got = got[at+1:]
	}
	return true
}

// TestAmendRefusesWhatItMisreads: the text is not written where it would say something else.
func TestAmendRefusesWhatItMisreads(t *testing.T) {
	for name, text := range map[string]string{
		"list.jsonc":     `{ "r2_buckets": "none" }`,
		"object.jsonc":   `{ "durable_objects": [] }`,
		"inline.toml":    "migrations = [{ tag = \"v1\", new_sqlite_classes = [\"Room\"] }]\n",
		"quoted.toml":    "a = '''\n[vars]\ncompatibility_flags = [\"x\"]\n'''\n",
		"table.toml":     "[r2_buckets]\nbinding = \"A\"\n",
		"commented.toml": "r2_buckets = [ # mine\n]\n",
	} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		amendment, err := Amend(path, someAdditions)
		if err == nil {
			t.Errorf("%s was understood:\n%s", name, amendment.text)
		}
		if now, _ := os.ReadFile(path); string(now) != text {
			t.Errorf("%s was written", name)
		}
	}
}

// TestAmendmentIsOfTheFileThatWasRead: a file that somebody has saved meanwhile stays, and so does its mode.
func TestAmendmentIsOfTheFileThatWasRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "wrangler.jsonc")
	if err := os.WriteFile(path, []byte("{}"), 0o640); err != nil {
		t.Fatal(err)
	}
	late, err := Amend(path, someAdditions)
	if err != nil {
		t.Fatal(err)
	}
	first, err := Amend(path, someAdditions[:1])
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Write(); err != nil {
		t.Fatal(err)
	}
	if err := late.Write(); err == nil || !strings.Contains(err.Error(), "changed it meanwhile") {
		t.Errorf("a file that somebody has saved was replaced: %v", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}

// TestMountOfEnvironments: an environment gets lists of its own, unless it inherits them.
func TestMountOfEnvironments(t *testing.T) {
	const text = `{
  "main": "src/index.ts",
  "compatibility_flags": ["a"],
  "migrations": [{ "tag": "v4" }],
  "env": { "inherits": {}, "own": { "compatibility_flags": [], "migrations": [{ "tag": "v7" }] } }
}`
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "wrangler.jsonc"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for env, want := range map[string][]string{
		"":         {"compatibility_flags", "r2_buckets", "kv_namespaces", "durable_objects.bindings", "migrations v5"},
		"inherits": {"compatibility_flags", "env.inherits.r2_buckets", "env.inherits.kv_namespaces", "env.inherits.durable_objects.bindings", "migrations v5"},
		"own":      {"env.own.compatibility_flags", "env.own.r2_buckets", "env.own.kv_namespaces", "env.own.durable_objects.bindings", "env.own.migrations v8"},
	} {
		m, err := ReadMount(Input{Dir: dir, Environment: env, EnvironmentSet: true, Getenv: func(string) string { return "" }})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, a := range m.Lacks {
			path := strings.Join(a.Path, ".")
			if a.Path[len(a.Path)-1] == "migrations" {
				path += " " + a.Fields[0].Value.(string)
			}
			got = append(got, path)
		}
		if !reflect.DeepEqual(got, want) || m.Main != "src/index.ts" {
			t.Errorf("environment %q lacks %q", env, got)
		}
	}
}
