package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/stack"
)

// slowConfig is the Worker whose bindings take longer.
const slowConfig = "worker/test-entry/slow.wrangler.jsonc"

// simulatedLatency repeats the latencies with a network that is simulated: on one machine, R2 and the Durable Objects are no further away than a function call.
func simulatedLatency(ctx context.Context, w *world) (text string, err error) {
	slow, err := w.slowed(ctx)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, slow.cloud.Stop()) }()
	table, err := latency(ctx, slow)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Simulated: each call of the R2 binding takes %s longer, each call of a Durable Object %s. Both are assumptions (`-r2-delay`, `-store-delay`), not measurements.\n\n%s",
		w.r2Delay, w.storeDelay, table), nil
}

// slowed is the same world on a runtime with delays.
func (w *world) slowed(ctx context.Context) (*world, error) {
	cloud, err := stack.Start(ctx, stack.Options{WorkerDir: w.worker, ConfigPath: slowConfig,
		Vars: map[string]string{"R2_DELAY_MS": inMilliseconds(w.r2Delay), "STORE_DELAY_MS": inMilliseconds(w.storeDelay)}})
	if err != nil {
		return nil, err
	}
	slow := &world{options: w.options, dir: w.dir, binary: w.binary, built: w.built, cloud: cloud}
	if err := slow.connect(ctx); err != nil {
		return nil, errors.Join(err, cloud.Stop())
	}
	return slow, nil
}

func inMilliseconds(d time.Duration) string { return fmt.Sprint(d.Milliseconds()) }
