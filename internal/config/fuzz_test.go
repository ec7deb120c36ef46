package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Any text in a wrangler file gives a configuration or a usage error, and never an endpoint that is none.

func FuzzWranglerJSONC(f *testing.F) {
	fuzzWrangler(
		f,
		"wrangler.jsonc",
		plainFile,
		environmentsFile,
		`{"routes":[5,{"pattern":7}],"env":null}`,
		"[]",
		"/*",
	)
}

func FuzzWranglerTOML(f *testing.F) {
	fuzzWrangler(f, "wrangler.toml", tomlFile, "[env.a]\nroute = 5", "routes = [[]]", "r2_buckets = 1")
}

func fuzzWrangler(f *testing.F, name string, seeds ...string) {
	for _, seed := range seeds {
		f.Add(seed, "production")
	}
	f.Fuzz(func(t *testing.T, text, environment string) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, chosen := range []bool{false, true} {
			c, err := Load(
				Input{
					Dir:            dir,
					Environment:    environment,
					EnvironmentSet: chosen,
					Getenv:         func(string) string { return "" },
				},
			)
			if err != nil {
				if userdb.KindOf(err) != userdb.Usage {
					t.Errorf("not a usage error: %v", err)
				}
				continue
			}
			if c.WorkerURL != "" && !strings.HasPrefix(c.WorkerURL, "http") {
				t.Errorf("a Worker at %q", c.WorkerURL)
			}
			_ = c.Need(R2, KV, Worker)
		}
	})
}
