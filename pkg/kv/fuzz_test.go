package kv

import (
	"net/http"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Metadata that somebody else wrote is no reason to lose the flag; what we wrote comes back.
func FuzzDecodeMeta(f *testing.F) {
	for _, seed := range []string{`{"v":1,"lin":3,"gen":4,"at":5,"run":"r","bytes":6}`, `null`, `[]`, `"x"`, `{"v":"1"}`, `{"lin":-1}`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		meta := decodeMeta(raw)
		encoded, err := encodeMeta(meta)
		if err != nil {
			return // a run name that is too long
		}
		if again := decodeMeta(encoded); again != meta {
			t.Errorf("%q is %+v and came back as %+v", raw, meta, again)
		}
	})
}

func FuzzUserOfKey(f *testing.F) {
	for _, seed := range []string{"migrated:u", "migrated:", "Migrated:u", "migrated:a/b", "x", "migrated:\xff"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, key string) {
		if user, ok := userOfKey(userdb.FlagPrefix, key); ok &&
			(user.FlagKey() != key || userdb.UserID(key[len(userdb.FlagPrefix):]) != user) {
			t.Errorf("%q is read as the flag of %q", key, user)
		}
	})
}

func FuzzReadValue(f *testing.F) {
	for _, seed := range []string{`{"value":"true","metadata":{"v":1,"lin":2}}`, `"true"`, `null`, `{}`, `7`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		flag, ok, err := (&Client{connection: &connection{}}).readValue(t.Context(), "u", raw)
		if ok && (err != nil || flag.User != "u") {
			t.Errorf("%q is %+v, %v", raw, flag, err)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"3", "-1", "1e300", "Inf", "NaN", "Mon, 23 Nov 2026 12:00:09 GMT", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, header string) {
		response := &http.Response{Header: http.Header{"Retry-After": {header}}}
		if wait := retryAfter(response, 1); wait < 0 || wait > mostRetryAfter {
			t.Errorf("%q is a wait of %s", header, wait)
		}
	})
}
