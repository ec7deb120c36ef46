package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// census measures the scans that check the readers, each by itself. That of the file runs while the Durable
// Object has its turn.
func census(ctx context.Context, w *world) (string, error) {
	var out strings.Builder
	fmt.Fprint(
		&out,
		"| database | `migrate` | census of the file | census in the object | the object's, of `migrate` | both, of `migrate` |\n|---|---|---|---|---|---|\n",
	)
	for _, size := range strings.Split(w.sizes, ",") {
		db, err := w.database(ctx, size)
		if err != nil {
			return "", err
		}
		var whole, file, store []time.Duration
		for range w.roundsOf(size) {
			all, mine, theirs, err := w.censusOnce(ctx, db)
			if err != nil {
				return "", err
			}
			whole, file, store = append(whole, all), append(file, mine), append(store, theirs)
		}
		both, of := median(file)+median(store), median(whole).Seconds()
		fmt.Fprintf(
			&out,
			"| %s | %s | %s | %s | **%.3f** | %.3f |\n",
			size,
			seconds(median(whole)),
			milliseconds(median(file)),
			milliseconds(median(store)),
			median(store).Seconds()/of,
			both.Seconds()/of,
		)
	}
	return out.String(), nil
}

func (w *world) censusOnce(ctx context.Context, db database) (whole, file, store time.Duration, err error) {
	u, err := w.upload(ctx, db)
	if err != nil {
		return 0, 0, 0, err
	}
	if whole, _, err = w.migrate(ctx, u, nil); err != nil {
		return 0, 0, 0, err
	}
	f, err := sqlitefile.Open(ctx, db.path)
	if err != nil {
		return 0, 0, 0, err
	}
	defer f.Close()
	for i := range f.Tables() {
		t := &f.Tables()[i]
		begun := time.Now()
		if _, err := f.Census(ctx, t); err != nil {
			return 0, 0, 0, err
		}
		file += time.Since(begun)
		took, err := w.censusInStore(ctx, u, t)
		if err != nil {
			return 0, 0, 0, err
		}
		store += took
	}
	return whole, file, store, nil
}

// censusInStore sends the query that the Durable Object asks itself, and takes off what a request takes that
// asks nothing.
func (w *world) censusInStore(
	ctx context.Context,
	u userdb.UserID,
	t *sqlitefile.Table,
) (time.Duration, error) {
	nothing, err := w.request(ctx, u, appRequest{mode: "read", sql: "SELECT ?1"}, 1, "store")
	if err != nil {
		return 0, err
	}
	took, err := w.request(ctx, u, appRequest{mode: "read", sql: t.CensusSQL() + " WHERE ?1 > 0"}, 1, "store")
	return max(0, took-nothing), err
}
