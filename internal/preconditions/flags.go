package preconditions

import (
	"context"
	"errors"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// ProbeFlags asks for the first page of flags. A flag is the last thing that a command writes, too late to
// learn that it may not.
func ProbeFlags(ctx context.Context, flags migrate.Flags) error {
	err := flags.List(ctx, "", func([]userdb.Flag) error { return errFirstPage })
	if errors.Is(err, errFirstPage) {
		return nil
	}
	return err
}

// errFirstPage ends a listing that only wanted to know whether it may list.
var errFirstPage = errors.New("the first page is enough")
