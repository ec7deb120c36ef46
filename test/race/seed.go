package race

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// ledgerSchema has the two tables that are raced over, and what makes a database more than a table: an index
// that every write changes, a view, a trigger, values that are easily lost. Rows of the archive say so: a
// policy needs to know no more.
const ledgerSchema = `
create table {entries}({e.archived} integer not null, {e.op} integer not null, {e.n} integer not null, primary key({e.archived}, {e.n}));
create table {counter}({c.name} text primary key, {c.archived} integer not null, {c.n} integer not null, {c.last} integer not null);
insert into {counter} values ('present', 0, 0, 0), ('archive', 1, 0, 0);
create index {by-op} on {entries}({e.op});
create table {notes}({o.archived} integer not null, {o.title} text, {o.weight} real, {o.image} blob);
insert into {notes} values (0, 'one', 0.1, x'00ff'), (0, null, -1e300, null), (1, cast(x'6100ff' as text), 9e999, zeroblob(10)), (1, null, -1e300, null);
create view {titles} as select {o.title} from {notes} order by {o.title};
create trigger {no-negative} before update on {counter} when new.{c.n} < 0 begin select raise(abort, 'negative'); end;
`

func layout() userdb.Layout {
	l, err := userdb.ParseLayout(userdb.DefaultLayout)
	if err != nil {
		panic(err) // a constant of our own
	}
	return l
}

// putEmptyLedger gives the user a file. The stack is fresh, so nobody has one. There is no condition: a PUT
// that is repeated after a lost answer would refuse its own file.
func putEmptyLedger(ctx context.Context, files migrate.Files, u userdb.UserID, n names) error {
	dir, err := os.MkdirTemp("", "dbmigrate-race-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "ledger.sqlite")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, n.sql(ledgerSchema))
	if err := errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("build a ledger (%s): %w", n, err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	_, err = files.Put(
		ctx,
		layout().Key(u),
		bytes.NewReader(content),
		int64(len(content)),
		userdb.PutOptions{},
	)
	return err
}
