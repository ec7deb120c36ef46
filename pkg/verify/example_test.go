package verify_test

import (
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/verify"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Databases compares two digests and names the tables that differ.
func ExampleDatabases() {
	schema := wire.SchemaDigest(wire.Schema{})
	digest := func(rows int64, first byte) wire.DatabaseDigest {
		return wire.DatabaseDigestOf(
			schema,
			[]wire.TableDigest{wire.NewTableDigest("games", rows, [32]byte{first})},
		)
	}
	for _, difference := range verify.Databases(digest(2, 1), digest(2, 9)) {
		fmt.Println(difference.Kind, difference.Object)
	}
	fmt.Println(len(verify.Databases(digest(2, 1), digest(2, 1))))
	// Output:
	// content table "games"
	// 0
}
