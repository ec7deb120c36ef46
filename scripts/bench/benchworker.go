package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
)

// withBenchWorker is the same world with the Worker that can send itself requests (test-entry/bench.ts). Its
// calls take longer by these delays.
func (w *world) withBenchWorker(ctx context.Context, r2Delay, storeDelay time.Duration) (*world, error) {
	return w.withVars(
		ctx,
		map[string]string{
			"R2_DELAY_MS":    inMilliseconds(r2Delay),
			"STORE_DELAY_MS": inMilliseconds(storeDelay),
		},
	)
}

// withVars is the same for any variables of that Worker.
func (w *world) withVars(ctx context.Context, vars map[string]string) (*world, error) {
	cloud, err := stack.Start(ctx, stack.Options{
		WorkerDir:  w.worker,
		ConfigPath: filepath.Join(cmp.Or(w.worker, "worker"), "test-entry", "bench.wrangler.jsonc"),
		Vars:       vars,
	})
	if err != nil {
		return nil, err
	}
	other := &world{options: w.options, dir: w.dir, binary: w.binary, built: w.built, cloud: cloud}
	if err := other.connect(ctx); err != nil {
		return nil, errors.Join(err, cloud.Stop())
	}
	return other, nil
}

func inMilliseconds(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }
