package inspect

import (
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// TestUserVersion: the version is that of the side with the newest content, and none where nobody has one.
func TestUserVersion(t *testing.T) {
	head := make([]byte, userdb.HeaderBytes)
	copy(head, "SQLite format 3\x00")
	head[18], head[19], head[63] = 1, 1, 5
	plain, err := userfile.ReadVersion(userdb.Object{}, head)
	if err != nil {
		t.Fatal(err)
	}
	nine := int32(9)
	store := func(phase userdb.Phase) wire.Status { return wire.Status{Phase: phase, UserVersion: &nine} }
	for name, c := range map[string]struct {
		st     wire.Status
		file   userfile.Version
		serves userfile.Side
		want   int32 // -1: none
	}{
		"in R2":                  {wire.Status{Phase: userdb.Empty}, plain, userfile.SideFile, 5},
		"moved":                  {store(userdb.Active), plain, userfile.SideObject, 9},
		"split":                  {store(userdb.Cold), plain, userfile.SideSplit, 5},
		"a rollback is open":     {store(userdb.Sealed), plain, userfile.SideNone, 9},
		"an import is open":      {store(userdb.Importing), plain, userfile.SideNone, 5},
		"an older Worker":        {wire.Status{Phase: userdb.Active}, plain, userfile.SideObject, -1},
		"nowhere":                {wire.Status{Phase: userdb.Empty}, userfile.Version{Absent: true}, userfile.SideFile, -1},
		"something else in R2":   {wire.Status{Phase: userdb.Empty}, userfile.Version{}, userfile.SideFile, -1},
		"behind a tombstone too": {store(userdb.Active), userfile.Version{What: userdb.TombstoneFile}, userfile.SideObject, 9},
	} {
		got := int32(-1)
		if v := userVersion(c.st, c.file, c.serves); v != nil {
			got = *v
		}
		if got != c.want {
			t.Errorf("%s: version %d, want %d", name, got, c.want)
		}
	}
}
