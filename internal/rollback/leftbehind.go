package rollback

import (
	"context"
	"fmt"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/parallel"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/verify"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// left is what --discard-writes would leave behind of one user.
type left struct {
	writes  int64
	tables  []string
	unknown bool // the Durable Object does not answer
}

// leftShown is how many users are described one by one; of the rest the sum is told.
const leftShown = 20

func sayLeftBehind(
	ctx context.Context,
	e *migrate.Engine,
	users []inspect.Found,
	mayBeUnreachable bool,
	warn func(string, ...any),
) error {
	all := make([]left, len(users))
	err := parallel.Each(ctx, len(users), e.Concurrency, func(ctx context.Context, i int) (err error) {
		all[i], err = leftBehind(ctx, e, users[i].User)
		if mayBeUnreachable && userdb.KindOf(err) == userdb.Unreachable {
			all[i], err = left{unknown: true}, nil
		}
		return err
	})
	if err != nil {
		return err
	}
	var writes int64
	writers, unknown, shown := 0, 0, 0
	for i, l := range all {
		writes += l.writes
		switch {
		case l.unknown:
			unknown++
		case len(l.tables) > 0:
			writers++
		default:
			continue
		}
		if shown++; shown <= leftShown {
			warn("%s: %s", users[i].User, l)
		}
	}
	if shown > leftShown {
		warn("and %s more", units.Plural(shown-leftShown, "user"))
	}
	warn(
		"would be left behind: %s of %s%s",
		units.Plural(int(writes), "write transaction"),
		units.Plural(writers, "user"),
		unknownText(unknown),
	)
	return nil
}

func unknownText(users int) string {
	if users == 0 {
		return ""
	}
	return fmt.Sprintf(
		", and the writes of %s in Durable Objects that do not answer",
		units.Plural(users, "user"),
	)
}

func (l left) String() string {
	if l.unknown {
		return "the Durable Object does not answer: how much is left behind is unknown"
	}
	return fmt.Sprintf(
		"%s since the migration would be left behind, in %s",
		units.Plural(int(l.writes), "write transaction"),
		strings.Join(l.tables, ", "),
	)
}

func leftBehind(ctx context.Context, e *migrate.Engine, u userdb.UserID) (left, error) {
	st, err := e.Stores.Status(ctx, u)
	if err != nil {
		return left{}, err
	}
	served := st.Phase == userdb.Active || st.Phase == userdb.Sealed
	if !served || st.Receipt == nil {
		return left{}, nil
	}
	report, err := e.Stores.FreshDigest(ctx, u)
	if err != nil {
		return left{}, err
	}
	if st.Writes == st.WritesAtActivation && report.Digest.Database == st.Receipt.Digest.Database {
		return left{}, nil
	}
	return left{
		writes: st.Writes - st.WritesAtActivation,
		tables: changedTables(st.Receipt.Digest, *report.Digest),
	}, nil
}

// changedTables names the tables that are not what was imported, dropped ones too; a schema that changed
// counts as one.
func changedTables(before, now wire.DatabaseDigest) []string {
	var names []string
	for _, t := range verify.ChangedTables(before, now) {
		name := "table " + t.Name
		if t.Dropped() {
			name += " (dropped)"
		}
		names = append(names, name)
	}
	if before.Schema != now.Schema {
		names = append(names, "the schema")
	}
	if names == nil {
		names = []string{"no table: the content is as it was imported"}
	}
	return names
}
