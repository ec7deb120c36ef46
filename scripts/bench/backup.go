package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// writesInBlock are made one after the other, at least. A backup begins in every other block, and ends it.
const writesInBlock = 300

// backups measures writes of a user in a Durable Object, in turn alone and while that user is backed up.
func backups(ctx context.Context, w *world) (string, error) {
	var out strings.Builder
	fmt.Fprintf(&out, "Writes through wrangler's proxy, %d or more in a block, one after the other, %d blocks of each kind in turn. "+
		"A block of the second kind lasts as long as one `dbmigrate backup`%s.\n\n", writesInBlock, w.rounds, load())
	fmt.Fprintln(&out, "| database | alone: median | p99 | longest | with a backup: median | p99 | longest | p99, ratio | backups made |\n"+
		"|---|---|---|---|---|---|---|---|---|")
	for _, size := range []string{"S", "M"} {
		alone, beside, made, err := w.backupsOf(ctx, size)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "| %s | %s | %s | %s | %s | %s | %s | **%.2f** | %d |\n", size,
			milliseconds(median(alone)), milliseconds(quantile(alone, 0.99)), milliseconds(quantile(alone, 1)),
			milliseconds(median(beside)), milliseconds(quantile(beside, 0.99)), milliseconds(quantile(beside, 1)),
			quantile(beside, 0.99).Seconds()/quantile(alone, 0.99).Seconds(), made)
	}
	return out.String(), nil
}

func (w *world) backupsOf(ctx context.Context, size string) (alone, beside []time.Duration, made int, err error) {
	db, err := w.database(ctx, size)
	if err != nil {
		return nil, nil, 0, err
	}
	u, err := w.upload(ctx, db)
	if err != nil {
		return nil, nil, 0, err
	}
	if _, err := w.dbmigrate(ctx, "migrate", string(u)); err != nil {
		return nil, nil, 0, err
	}
	for range w.rounds {
		quiet, err := w.writesOf(ctx, u, nil)
		if err != nil {
			return nil, nil, 0, err
		}
		var failed error
		busy, err := w.writesOf(ctx, u, func() { failed = w.backupOnce(ctx, u) })
		if err != nil {
			return nil, nil, 0, err
		}
		if failed == nil {
			made++
		} else {
			w.say("%v", failed)
		}
		alone, beside = append(alone, quiet...), append(beside, busy...)
	}
	return alone, beside, made, nil
}

func (w *world) backupOnce(ctx context.Context, u userdb.UserID) error {
	dir, err := os.MkdirTemp(w.dir, "backup-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	_, err = w.dbmigrate(ctx, "backup", string(u), "--to", dir)
	return err
}

// writesOf times a block of writes. Meanwhile begins with the first of them, and has ended before the last.
func (w *world) writesOf(ctx context.Context, u userdb.UserID, meanwhile func()) (all []time.Duration, err error) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if meanwhile != nil {
			meanwhile()
		}
	}()
	for i := 0; ; i++ {
		select {
		case <-ended:
			if i >= writesInBlock {
				return all, nil
			}
		default:
		}
		took, err := w.request(ctx, u, appRequests[1], i%50+1, "store")
		if err != nil {
			return nil, err
		}
		all = append(all, took)
	}
}
