package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// memory is what the dbmigrate process needs at most, both ways. The file is freed before the way back, so
// that rollback rebuilds it from the Durable Object.
func memory(ctx context.Context, w *world) (string, error) {
	sizes := strings.Split(w.sizes, ",")
	if w.gigabyte {
		sizes = append(sizes, "1 GB")
	}
	var out strings.Builder
	fmt.Fprintln(
		&out,
		"| database | `migrate` | against S | `rollback` with export | against S |\n|---|---|---|---|---|",
	)
	var small [2]int64
	for i, size := range sizes {
		db, err := w.database(ctx, size)
		if err != nil {
			return "", err
		}
		there, back, err := w.peaks(ctx, db)
		if err != nil {
			return "", err
		}
		if i == 0 {
			small = [2]int64{there, back}
		}
		fmt.Fprintf(
			&out,
			"| %s, %s | %s | %.2f | %s | %.2f |\n",
			size,
			megabytes(db.Bytes),
			megabytes(there),
			float64(there)/float64(small[0]),
			megabytes(back),
			float64(back)/float64(small[1]),
		)
	}
	return out.String(), nil
}

func (w *world) peaks(ctx context.Context, db database) (there, back int64, err error) {
	u, err := w.upload(ctx, db)
	if err != nil {
		return 0, 0, err
	}
	migrated, err := w.dbmigrate(ctx, "migrate", string(u))
	if err != nil {
		return 0, 0, err
	}
	if err := w.free(ctx, u); err != nil {
		return 0, 0, err
	}
	restored, err := w.dbmigrate(ctx, "rollback", string(u), "--output", "json")
	if err != nil {
		return 0, 0, err
	}
	if !strings.Contains(restored.stdout, `"`+string(result.OutcomeExported)+`"`) {
		return 0, 0, fmt.Errorf("roll back %s: nothing was exported: %s", u, restored.stdout)
	}
	return migrated.peak, restored.peak, nil
}

// free runs gc, which says the name of its plan first.
func (w *world) free(ctx context.Context, u userdb.UserID) error {
	planned, err := w.dbmigrate(ctx, "gc", string(u), "--older-than", "0s", "--output", "json")
	if err != nil {
		return err
	}
	for line := range strings.Lines(planned.stdout) {
		var last struct {
			Summary struct {
				Plan string `json:"plan"`
			} `json:"summary"`
		}
		if json.Unmarshal([]byte(line), &last) == nil && last.Summary.Plan != "" {
			_, err := w.dbmigrate(ctx, "gc", string(u), "--older-than", "0s", "--confirm", last.Summary.Plan)
			return err
		}
	}
	return fmt.Errorf("free the file of %s: gc names no plan: %s", u, planned.stdout)
}

// runtimeMemory is how much the runtime's processes grow over what they had, stage by stage.
func runtimeMemory(ctx context.Context, w *world) (string, error) {
	db, err := w.database(ctx, "L")
	if err != nil {
		return "", err
	}
	u, err := w.upload(ctx, db)
	if err != nil {
		return "", err
	}
	if err := w.cloud.Restart(ctx); err != nil { // what the upload needed is not to be counted
		return "", err
	}
	if _, err := w.engine.Stores.Status(ctx, u); err != nil { // the first request compiles the Worker
		return "", err
	}
	base := workerdMemory("VmRSS")
	resetPeaks()
	peaks := map[result.Stage]int64{}
	_, _, err = w.migrate(ctx, u, func(stage result.Stage) {
		peaks[stage] = max(peaks[stage], workerdMemory("VmHWM")-base)
		resetPeaks()
	})
	if err != nil {
		return "", err
	}
	var out strings.Builder
	fmt.Fprintf(
		&out,
		"workerd had %s before it. Peak above that at L, by stage:\n\n| stage | growth |\n|---|---|\n",
		megabytes(base),
	)
	for _, row := range migrateStages {
		if grown, found := peaks[row.stage]; found {
			fmt.Fprintf(&out, "| %s | %s |\n", row.stage, megabytes(grown))
		}
	}
	return out.String(), nil
}
