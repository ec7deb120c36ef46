package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// sleepers is how many objects are woken, once each: a second request would find them awake.
const sleepers = 80

// wakeUp measures the first read of an object that just came into memory: in turn of one that looks at its
// file's mark and of one that does not.
func wakeUp(ctx context.Context, w *world) (string, error) {
	with, without, err := w.firstReads(ctx)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(
		"The first read of %d objects after a restart of the runtime, from the client through wrangler's proxy, in turn of one that looks and of one that does not%s.\n\n"+
			"| | median | fastest quarter, median |\n|---|---|---|\n| with the look at the mark | %s | %s |\n| without | %s | %s |\n| the look | **%s** | **%s** |\n",
		sleepers,
		load(),
		preciseMilliseconds(median(with)),
		preciseMilliseconds(quantile(with, 0.125)),
		preciseMilliseconds(median(without)),
		preciseMilliseconds(quantile(without, 0.125)),
		preciseMilliseconds(
			median(with)-median(without),
		),
		preciseMilliseconds(quantile(with, 0.125)-quantile(without, 0.125)),
	), nil
}

func (w *world) firstReads(ctx context.Context) (with, without []time.Duration, err error) {
	bench, err := w.withVars(ctx, map[string]string{"WAKE_CHECK": "odd"})
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, bench.cloud.Stop()) }()
	db, err := w.database(ctx, "S")
	if err != nil {
		return nil, nil, err
	}
	var users []userdb.UserID
	for range sleepers + 2 {
		u, err := bench.upload(ctx, db)
		if err != nil {
			return nil, nil, err
		}
		if _, _, err := bench.migrate(ctx, u, nil); err != nil {
			return nil, nil, err
		}
		users = append(users, u)
	}
	if err := bench.cloud.Restart(ctx); err != nil {
		return nil, nil, err
	}
	for i, u := range users {
		one, err := bench.request(ctx, u, appRequests[0], 1, "store")
		switch {
		case err != nil:
			return nil, nil, err
		case i < 2: // these start the Worker as well
		case i%2 == 0: // numbers begin at 1
			with = append(with, one)
		default:
			without = append(without, one)
		}
	}
	return with, without, nil
}
