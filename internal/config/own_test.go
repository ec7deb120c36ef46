package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

const ownText = `account_id = "a"
bucket = "b"
jurisdiction = "eu"
layout = "db/{user}.sqlite"
[profile.staging]
account_id = "s"
bucket = "sb"
`

func TestOwnFileRanksBetweenEnvironmentAndWrangler(t *testing.T) {
	files := map[string]string{
		OwnName:          ownText,
		"wrangler.jsonc": `{"account_id":"w","r2_buckets":[{"bucket_name":"wb"}],"kv_namespaces":[{"id":"wk"}]}`,
	}
	for name, test := range map[string]struct {
		in                                           Input
		env                                          map[string]string
		account, bucket, namespace, endpoint, layout string
	}{
		"top level, filled up":          {Input{}, nil, "a", "b", "wk", "https://a.eu.r2.cloudflarestorage.com", "db/{user}.sqlite"},
		"environment goes first":        {Input{}, map[string]string{"DBMIGRATE_BUCKET": "e"}, "a", "e", "wk", "https://a.r2.cloudflarestorage.com", "db/{user}.sqlite"},
		"a profile stands alone":        {Input{Profile: "staging"}, nil, "s", "sb", "", "https://s.r2.cloudflarestorage.com", userdb.DefaultLayout},
		"the variable":                  {Input{}, map[string]string{"DBMIGRATE_PROFILE": "staging"}, "s", "sb", "", "https://s.r2.cloudflarestorage.com", userdb.DefaultLayout},
		"--env is of the wrangler file": {Input{EnvironmentSet: true}, nil, "w", "wb", "wk", "https://w.r2.cloudflarestorage.com", userdb.DefaultLayout},
	} {
		c, err := load(t, test.in, files, test.env)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if c.AccountID != test.account || c.Bucket != test.bucket || c.KVNamespace != test.namespace ||
			c.R2Endpoint != test.endpoint ||
			c.Layout != test.layout {
			t.Errorf("%s: %+v", name, c.Values)
		}
	}
}

// TestWriteOwnKeepsTheRest: what people wrote into the file stays, and a kill leaves the old file.
func TestWriteOwnKeepsTheRest(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, OwnName)
	if err := os.WriteFile(path, []byte("# ours\n[profile.one]\nbucket = \"x\" # keep\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, profile := range []string{"", "two"} {
		if err := WriteOwn(path, profile, "somewhere\nelse", Settings{AccountID: `quote " and \`, Bucket: "b"}, false); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# ours\n", "bucket = \"x\" # keep\n", "# From somewhere else.\n", "[profile.two]\n"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in it:\n%s", want, text)
		}
	}
	own, err := FindOwn(dir, "")
	if err != nil || own.AccountID != `quote " and \` || own.Profiles["one"].Bucket != "x" ||
		own.Profiles["two"].Bucket != "b" {
		t.Fatalf("%+v, %v", own, err)
	}
	for _, profile := range []string{"", "one", "two"} {
		if err := WriteOwn(path, profile, "", Settings{Bucket: "n"}, false); userdb.KindOf(
			err,
		) != userdb.Usage {
			t.Errorf("profile %q was replaced: %v", profile, err)
		}
	}
	if err := WriteOwn(path, "one", "", Settings{Bucket: "n"}, true); err != nil {
		t.Fatal(err)
	}
	if own, err = FindOwn(dir, ""); err != nil || own.Profiles["one"].Bucket != "n" ||
		own.Profiles["two"].Bucket != "b" ||
		own.Bucket != "b" {
		t.Fatalf("%+v, %v", own, err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
}
