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

// ledgerSchema has the two tables that are raced over, and what makes a database more than a table: an index that every write
// changes, a view, a trigger, values that are easily lost. Rows of the archive say so: a policy needs to know no more.
const ledgerSchema = `
create table entries(archived integer not null, op integer not null, n integer not null, primary key(archived, n));
create table counter(name text primary key, archived integer not null, n integer not null, last integer not null);
insert into counter values ('present', 0, 0, 0), ('archive', 1, 0, 0);
create index entries_by_op on entries(op);
create table notes(archived integer not null, title text, weight real, image blob);
insert into notes values (0, 'one', 0.1, x'00ff'), (0, null, -1e300, null), (1, cast(x'6100ff' as text), 9e999, zeroblob(10)), (1, null, -1e300, null);
create view titles as select title from notes order by title;
create trigger no_negative_counter before update on counter when new.n < 0 begin select raise(abort, 'negative'); end;
`

func layout() userdb.Layout {
	l, err := userdb.ParseLayout(userdb.DefaultLayout)
	if err != nil {
		panic(err) // a constant of our own
	}
	return l
}

// putEmptyLedger gives the user a file. The stack is fresh, so nobody has one.
func putEmptyLedger(ctx context.Context, files migrate.Files, u userdb.UserID) error {
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
	_, err = db.ExecContext(ctx, ledgerSchema)
	if err := errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("build a ledger: %w", err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	_, err = files.Put(ctx, layout().Key(u), bytes.NewReader(content), int64(len(content)), userdb.PutOptions{IfNoneMatch: true})
	return err
}
