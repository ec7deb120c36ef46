package config

import (
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// The bucket's jurisdiction comes from the endpoint's host where that is R2's, else from the setting. A
// contradiction is refused.
func TestBucketJurisdiction(t *testing.T) {
	const account = "https://0123456789abcdef0123456789abcdef"
	for _, c := range []struct{ setting, endpoint, want, refused string }{
		{"", account + ".r2.cloudflarestorage.com", "", ""},
		{"", account + ".eu.r2.cloudflarestorage.com", "eu", ""},
		{"", account + ".EU.R2.cloudflarestorage.com", "eu", ""},
		{"", account + ".fedramp.r2.cloudflarestorage.com", "fedramp", ""},
		{"eu", "", "eu", ""},
		{"default", "", "", ""},
		{"eu", account + ".eu.r2.cloudflarestorage.com", "eu", ""},
		{"eu", "http://127.0.0.1:8787", "eu", ""},
		{"", "http://127.0.0.1:8787", "", ""},
		{"", "https://eu.r2.cloudflarestorage.com.example", "", ""},
		{"eu", account + ".r2.cloudflarestorage.com", "", "no jurisdiction"},
		{"fedramp", account + ".eu.r2.cloudflarestorage.com", "", "jurisdiction eu"},
		{"europe", "", "", "no such jurisdiction"},
	} {
		in := Input{
			Flags: Values{
				AccountID:    "0123456789abcdef0123456789abcdef",
				Bucket:       "b",
				KVNamespace:  "k",
				WorkerURL:    "https://w.example",
				Jurisdiction: c.setting,
				R2Endpoint:   c.endpoint,
			},
			Dir:    t.TempDir(),
			Getenv: func(string) string { return "" },
		}
		got, err := Load(in)
		if c.refused != "" {
			if userdb.KindOf(err) != userdb.Usage || !strings.Contains(err.Error(), c.refused) {
				t.Errorf("%+v: %v", c, err)
			}
			continue
		}
		if err != nil || got.BucketJurisdiction() != c.want {
			t.Errorf("%+v: %q, %v", c, got.BucketJurisdiction(), err)
		}
	}
}
