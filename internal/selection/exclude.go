package selection

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// readExcluded gathers who is left out. No user's id holds a slash, so a value with one is a file, and "-" is
// standard input; everything else is a user. A bare word that is also the name of a file is refused: if the
// file was meant, its users would be moved.
func readExcluded(values []string, stdin io.Reader) (map[userdb.UserID]bool, error) {
	var all userSet
	for _, value := range values {
		if value == "-" || strings.Contains(value, "/") {
			listed, err := readUsersFile(value, stdin)
			if err != nil {
				return nil, err
			}
			for _, u := range listed.users {
				all.put(u)
			}
			continue
		}
		if _, err := os.Stat(value); err == nil {
			return nil, userdb.UsageError(
				"read --exclude",
				fmt.Sprintf("%q", value),
				"there is a file of this name, and it may be a user, too",
				fmt.Sprintf("write ./%s for the file; a user of this name goes into a file", value),
			)
		}
		if err := all.add(value); err != nil {
			return nil, err
		}
	}
	return all.has, nil
}
