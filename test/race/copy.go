package race

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	_ "modernc.org/sqlite" // reads the copies

	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// copyBoth backs the user up while others write and move the user. What the copy holds is a look at both
// parts, of one moment.
func (w *witness) copyBoth(ctx context.Context, c int) error {
	if rand.IntN(3) > 0 || ctx.Err() != nil {
		return nil
	}
	var copied *snapshot
	e := w.world.copiers[rand.IntN(len(w.world.copiers))]
	called := time.Since(w.world.began)
	r := e.Backup(context.Background(), w.user, func(ctx context.Context, file *userfile.Copy, digest string) (string, error) {
		var err error
		copied, err = w.open(ctx, file, digest)
		return "", err
	})
	seen := interval{called: called, returned: time.Since(w.world.began)}
	w.world.figure.commanded(r)
	if err := r.Err(); err != nil {
		if slices.Contains(expectedOfCopies, userdb.KindOf(err)) || sawEvictions(err) ||
			w.world.personOf(w.user).explains(err) {
			return nil
		}
		return fmt.Errorf("back up %s: %w", w.user, err)
	}
	if err := copied.err(); err != nil {
		return fmt.Errorf("a backup from %v to %v: %w", seen.called, seen.returned, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.epoch.lookedAtBoth(c, copied.state, seen)
	return nil
}

// expectedOfCopies are the failures of a backup beside commands that die and move the user. None has made
// a copy.
var expectedOfCopies = append([]userdb.Kind{userdb.Conflict, userdb.Blocked, userdb.NotFound}, expected...)

// open reads a copy, and holds its digest against the one that was told.
func (w *witness) open(ctx context.Context, file *userfile.Copy, digest string) (*snapshot, error) {
	f, err := os.CreateTemp("", "race-copy-*.sqlite")
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	if err := errors.Join(file.WriteUnmarked(f), f.Close()); err != nil {
		return nil, err
	}
	if err := sameDigest(ctx, f.Name(), digest); err != nil {
		return nil, err
	}
	n := w.world.personOf(w.user).names
	db, err := sql.Open("sqlite", f.Name())
	if err != nil {
		return nil, err
	}
	defer db.Close()
	var all half
	entries := entriesQuery
	if w.world.Split {
		entries = splitEntriesQuery
	}
	for _, query := range []string{counterQuery, entries} {
		rows, err := numbers(ctx, db, n.sql(query))
		if err != nil {
			return nil, err
		}
		all.Results = append(all.Results, rowsOf{Rows: rows})
	}
	s := assemble(all)
	return &s, nil
}

func sameDigest(ctx context.Context, path, digest string) error {
	db, err := sqlitefile.Open(ctx, path)
	if err != nil {
		return err
	}
	got, err := db.Digest(ctx)
	if err == nil && got.Database != digest {
		err = fmt.Errorf("the digest of the copy is %s, and %s was told", got.Database, digest)
	}
	return errors.Join(err, db.Close())
}

func numbers(ctx context.Context, db *sql.DB, query string) (all [][]int64, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	for err == nil && rows.Next() {
		row := make([]int64, len(columns))
		into := make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		err = rows.Scan(into...)
		all = append(all, row)
	}
	return all, errors.Join(err, rows.Err())
}
