package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// pairs sets the whole of `dbmigrate migrate` (a process from its start to its end: download, checks, copy,
// digests on both sides, fence, activation, flag) beside `.dump | sqlite3` of the same file and the least
// that the local R2 can take, one after the other.
func pairs(ctx context.Context, w *world) (string, error) {
	var out strings.Builder
	fmt.Fprintln(
		&out,
		"| database | rows | `dbmigrate migrate` | `sqlite3 a .dump \\| sqlite3 b` | ratio, median of the pairs | pair by pair | processor time, ours | theirs | ratio | local R2 alone | of the dump | ratio without it |",
	)
	fmt.Fprintln(&out, "|---|---|---|---|---|---|---|---|---|---|---|---|")
	for _, size := range strings.Split(w.sizes, ",") {
		db, err := w.database(ctx, size)
		if err != nil {
			return "", err
		}
		ours, dump, floor, err := w.pairsOf(ctx, db, w.roundsOf(size))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(
			&out,
			"| %s, %s | %d | %s | %s | **%.2f** | %s | %s | %s | %.2f | %s | %.2f | %.2f |\n",
			size,
			megabytes(db.Bytes),
			db.Rows,
			seconds(median(ours.took)),
			seconds(median(dump.took)),
			medianRatio(
				ours.took,
				dump.took,
			),
			spread(ours.took, dump.took),
			seconds(median(ours.cpu)),
			seconds(median(dump.cpu)),
			medianRatio(ours.cpu, dump.cpu),
			seconds(
				median(floor),
			),
			medianRatio(floor, dump.took),
			medianRatio(without(ours.took, floor), dump.took),
		)
	}
	return out.String(), nil
}

// series is one side of the pairs.
type series struct{ took, cpu []time.Duration }

func (s *series) add(took, cpu time.Duration) {
	s.took, s.cpu = append(s.took, took), append(s.cpu, cpu)
}

// without takes one from the other, round by round.
func without(whole, part []time.Duration) []time.Duration {
	rest := make([]time.Duration, len(whole))
	for i := range rest {
		rest[i] = whole[i] - part[i]
	}
	return rest
}

func (w *world) pairsOf(
	ctx context.Context,
	db database,
	rounds int,
) (ours, dump series, floor []time.Duration, err error) {
	for round := range rounds + 1 {
		u, err := w.upload(ctx, db)
		if err != nil {
			return ours, dump, nil, err
		}
		run, err := w.dbmigrate(ctx, "migrate", string(u))
		if err != nil {
			return ours, dump, nil, err
		}
		took, cpu, err := w.dumpAndLoad(ctx, db)
		if err != nil {
			return ours, dump, nil, err
		}
		alone, err := w.floor(ctx, db)
		if err != nil {
			return ours, dump, nil, err
		}
		if round > 0 { // the first one warms all of them up
			ours.add(run.took, run.cpu)
			dump.add(took, cpu)
			floor = append(floor, alone)
		}
	}
	return ours, dump, floor, nil
}
