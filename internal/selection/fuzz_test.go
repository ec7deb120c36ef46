package selection

import (
	"slices"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// A users file gives users with ids that stand in it as whole lines, or an error: never half a name, and no
// user twice.
func FuzzUsersFile(f *testing.F) {
	for _, seed := range []string{"a\nb\n", "# all\nuser-1 # the first\r\n\nuser#2\n", "\ufeffa\n", "a/b\n", "\xff", "a\x00", "0\r", strings.Repeat("x", 70_000)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		set, err := readUsersFile("-", strings.NewReader(string(text)))
		if err != nil {
			return
		}
		seen := map[userdb.UserID]bool{}
		for _, user := range set.users {
			if seen[user] {
				t.Errorf("%q comes twice", user)
			}
			seen[user] = true
			if _, err := userdb.ParseUserID(string(user)); err != nil ||
				!slices.ContainsFunc(
					strings.Split(strings.TrimPrefix(string(text), byteOrderMark), "\n"),
					func(line string) bool { return withoutComment(strings.TrimSuffix(line, "\r")) == string(user) },
				) {
				t.Errorf("%q is no line of %q (%v)", user, text, err)
			}
		}
	})
}
