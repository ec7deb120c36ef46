package status

import (
	"context"
	"fmt"

	"github.com/dbmigrate/dbmigrate/internal/parallel"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// Few asks both sides of a few users until ctx ends, and says of each who serves the user now. Those who
// could not be asked are counted.
func Few(ctx context.Context, e *migrate.Engine, users []userdb.UserID) (where []string, unasked int) {
	lines := make([]Line, len(users))
	_ = parallel.Each(ctx, len(users), e.Concurrency, func(ctx context.Context, i int) error {
		lines[i] = stateOf(ctx, e, users[i])
		return nil
	})
	for _, l := range lines {
		if l.User == "" || l.Error != nil {
			unasked++
			continue
		}
		where = append(where, l.where())
	}
	return where, unasked
}

// where is a line in words.
func (l Line) where() string {
	text := fmt.Sprintf("%s: no side takes writes", l.User)
	switch {
	case l.Serves == userfile.SideUnknown:
		text = fmt.Sprintf("%s: no file, and nothing in the Durable Object", l.User)
	case l.Serves == userfile.SideFile:
		text = fmt.Sprintf("%s: served by the file", l.User)
	case l.Serves == userfile.SideObject:
		text = fmt.Sprintf("%s: served by the object", l.User)
	case l.Serves == userfile.SideSplit:
		text = fmt.Sprintf("%s: served by file and object", l.User)
	}
	if problem := problemText(l); problem != "" {
		text += ": " + problem
	}
	return text
}
