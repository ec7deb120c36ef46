package userdb_test

import (
	"maps"
	"testing"
	"unicode/utf8"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

func FuzzParseUserID(f *testing.F) {
	for _, seed := range []string{"", "user-1", "..", "a/b", "é", "\xff", "a\x00b", "%2f", "#"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		u, err := userdb.ParseUserID(s)
		if err != nil {
			return
		}
		if string(u) != s || !utf8.ValidString(s) || len(u.FlagKey()) > 512 {
			t.Errorf("%q became %q", s, u)
		}
	})
}

// Metadata says after a mark what the mark says, whatever it said before.
func FuzzMetadata(f *testing.F) {
	f.Add("dbmigrate-fence", "3.4", uint32(5))
	f.Add("Dbmigrate-Stamp", "4294967296", uint32(1))
	f.Add("x", "", uint32(0))
	f.Fuzz(func(t *testing.T, name, value string, claim uint32) {
		meta := map[string]string{name: value}
		before := maps.Clone(meta)
		userdb.MetadataFenced(meta)
		userdb.MetadataLifted(meta)
		if stamp := userdb.MetadataStamp(meta); stamp != 0 && value == "" {
			t.Errorf("a stamp of %d out of nothing", stamp)
		}
		stamped := userdb.Mark{Kind: userdb.StampMark, Stamp: userdb.Stamp(claim)}.Metadata(meta)
		if !maps.Equal(meta, before) {
			t.Error("the metadata that was read is changed")
		}
		if stamped["dbmigrate-stamp"] == "" {
			t.Errorf("no stamp in %v", stamped)
		}
	})
}
