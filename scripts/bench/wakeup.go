package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// sleepers is how many objects are woken, once each: a second request would find them awake.
const sleepers = 30

// wakeUp measures the first read of an object that just came into memory, with and without the look at its file's mark.
func wakeUp(ctx context.Context, w *world) (string, error) {
	with, err := w.firstReads(ctx, "on")
	if err != nil {
		return "", err
	}
	without, err := w.firstReads(ctx, "off")
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("The first read of %d objects each after a restart of the runtime, from the client through wrangler's proxy%s.\n\n"+
		"| | median | p99 |\n|---|---|---|\n| with the look at the mark | %s | %s |\n| without | %s | %s |\n| the look | **%s** | |\n", sleepers, load(),
		preciseMilliseconds(median(with)), preciseMilliseconds(quantile(with, 0.99)),
		preciseMilliseconds(median(without)), preciseMilliseconds(quantile(without, 0.99)), preciseMilliseconds(median(with)-median(without))), nil
}

func (w *world) firstReads(ctx context.Context, check string) (took []time.Duration, err error) {
	bench, err := w.withVars(ctx, map[string]string{"WAKE_CHECK": check})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, bench.cloud.Stop()) }()
	db, err := w.database(ctx, "S")
	if err != nil {
		return nil, err
	}
	var users []userdb.UserID
	for range sleepers + 1 {
		u, err := bench.upload(ctx, db)
		if err != nil {
			return nil, err
		}
		if _, _, err := bench.migrate(ctx, u, nil); err != nil {
			return nil, err
		}
		users = append(users, u)
	}
	if err := bench.cloud.Restart(ctx); err != nil {
		return nil, err
	}
	for i, u := range users {
		one, err := bench.request(ctx, u, appRequests[0], 1, "store")
		if err != nil {
			return nil, err
		}
		if i > 0 { // the first one starts the Worker as well
			took = append(took, one)
		}
	}
	return took, nil
}
