package race

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"time"

	_ "modernc.org/sqlite" // reads the copies

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
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
	done, err := w.backUp(e, func(ctx context.Context, path string) error {
		var err error
		copied, err = w.read(ctx, path)
		return err
	})
	seen := interval{called: called, returned: time.Since(w.world.began)}
	if err != nil || !done {
		return err
	}
	if err := copied.err(); err != nil {
		return fmt.Errorf("a backup from %v to %v: %w", seen.called, seen.returned, err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.epoch.lookedAtBoth(c, copied.state, seen)
	return nil
}

// backUp hands the copy to keep, as a file that is gone afterwards. It says whether there was one: commands
// that die and move the user, and what outsiders do, explain that there is none.
func (w *witness) backUp(e *migrate.Engine, keep func(ctx context.Context, path string) error) (bool, error) {
	p := w.world.personOf(w.user)
	harmed := !p.is(unharmed)
	r := e.Backup(context.Background(), w.user, func(ctx context.Context, file *userfile.Copy, digest string) (string, error) {
		f, err := os.CreateTemp("", "race-copy-*.sqlite")
		if err != nil {
			return "", err
		}
		defer os.Remove(f.Name())
		if err := errors.Join(file.WriteUnmarked(f), f.Close()); err != nil {
			return "", err
		}
		return "", errors.Join(sameDigest(ctx, f.Name(), digest), keep(ctx, f.Name()))
	})
	w.world.figure.commanded(r)
	err := r.Err()
	switch {
	case err == nil:
		return true, nil
	case slices.Contains(expectedOfCopies, userdb.KindOf(err)), sawEvictions(err), w.world.sawGrowth(err),
		harmed && userdb.KindOf(err) == userdb.Conflict, p.explains(err):
		return false, nil
	}
	return false, fmt.Errorf("back up %s: %w", w.user, err)
}

// expectedOfCopies are the failures of a backup beside commands that die and move the user. None has made
// a copy.
var expectedOfCopies = append([]userdb.Kind{userdb.Blocked, userdb.NotFound}, expected...)

// compareCopies backs the user up twice, with each of the ways to read an object, while nobody writes:
// operators may still move the user, and die. An outsider's program finds the same database in both copies.
// It says whether there were two.
func (w *witness) compareCopies() (bool, error) {
	var paths []string
	defer func() {
		for _, path := range paths {
			os.Remove(path)
		}
	}()
	for _, e := range w.world.copiers {
		done, err := w.backUp(e, func(_ context.Context, path string) error {
			paths = append(paths, path+".kept")
			return os.Rename(path, path+".kept")
		})
		if err != nil || !done {
			return false, err
		}
	}
	args := append([]string{w.world.Referee}, paths...)
	if w.world.Split { // a row gets another number where both halves have used one
		args = append(args, "-r")
	}
	if out, err := exec.Command("python3", args...).CombinedOutput(); err != nil {
		return false, fmt.Errorf("two backups of %s differ, and nobody wrote meanwhile: %w: %s", w.user, err, out)
	}
	w.world.figure.compared.Add(1)
	return true, nil
}

// read reads what a copy holds.
func (w *witness) read(ctx context.Context, path string) (*snapshot, error) {
	n := w.world.personOf(w.user).names
	db, err := sql.Open("sqlite", path)
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
