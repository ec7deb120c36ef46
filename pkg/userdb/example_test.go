package userdb_test

import (
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// A layout says where a user's file is, and which user a key belongs to.
func ExampleParseLayout() {
	layout, err := userdb.ParseLayout("{user}/database.sqlite")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(layout.Key("alice"))
	user, found := layout.UserOf("bob/database.sqlite")
	fmt.Println(user, found)
	_, found = layout.UserOf("bob/games/1.mp4")
	fmt.Println(found)
	// Output:
	// alice/database.sqlite
	// bob true
	// false
}

// A fence in the SQLite header makes every SQLite open the file read-only. WithoutMark takes it out again.
func ExampleWithFence() {
	head := make([]byte, userdb.HeaderBytes)
	copy(head, "SQLite format 3\x00")
	head[18], head[19] = 1, 1 // the rollback journal
	fenced, err := userdb.WithFence(head, 7, 8, make([]byte, userdb.MarkRandomBytes))
	if err != nil {
		fmt.Println(err)
		return
	}
	mark, err := userdb.ParseMark(fenced)
	fmt.Println(mark.Kind, "lineage", mark.Lin, "nonce", mark.Non, "locked", userdb.Locked(fenced), err)
	open, err := userdb.WithoutMark(fenced)
	fmt.Println("locked", userdb.Locked(open), err)
	// Output:
	// fence lineage 7 nonce 8 locked true <nil>
	// locked false <nil>
}

// Errors carry what failed, why, and the way out. KindOf finds the kind through wrappers.
func ExampleKindOf() {
	err := fmt.Errorf(
		"migrate alice: %w",
		userdb.UsageError("read flags", "", "--percent must be 1 to 100", ""),
	)
	fmt.Println(userdb.KindOf(err))
	// Output: usage
}
