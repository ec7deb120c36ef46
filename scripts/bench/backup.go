package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

const (
	// writesInBlock are made one after the other, at least.
	writesInBlock = 300
	// blockBound is when no more backups begin in a block: the whole takes minutes.
	blockBound = 8 * time.Second
)

// backups measures writes of a user in a Durable Object, in turn alone and while that user is backed up.
func backups(ctx context.Context, w *world) (string, error) {
	var out strings.Builder
	fmt.Fprintf(&out, "Writes through wrangler's proxy, %d or more in a block, one after the other, %d blocks of each kind in turn. "+
		"In a block of the second kind one `dbmigrate backup` follows another, and only writes beside one count%s.\n\n",
		writesInBlock, w.rounds, load())
	fmt.Fprintln(&out, "| database | writes | alone: median | p99 | longest | with a backup: writes | median | p99 | longest | p99, ratio | backups made |\n"+
		"|---|---|---|---|---|---|---|---|---|---|---|")
	for _, size := range []string{"S", "M"} {
		alone, beside, made, err := w.backupsOf(ctx, size)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "| %s | %d | %s | %s | %s | %d | %s | %s | %s | **%.2f** | %d |\n", size,
			len(alone), milliseconds(median(alone)), milliseconds(quantile(alone, 0.99)), milliseconds(quantile(alone, 1)),
			len(beside), milliseconds(median(beside)), milliseconds(quantile(beside, 0.99)), milliseconds(quantile(beside, 1)),
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
	for round := range w.rounds {
		for half := range 2 {
			// What drifts during a round falls on both kinds alike: each goes first in every other one.
			if round%2 == half {
				quiet, err := w.writesOf(ctx, u, nil)
				if err != nil {
					return nil, nil, 0, err
				}
				alone = append(alone, quiet...)
				continue
			}
			busy, err := w.writesOf(ctx, u, func() {
				if failed := w.backupOnce(ctx, u); failed != nil {
					w.say("%v", failed)
					return
				}
				made++
			})
			if err != nil {
				return nil, nil, 0, err
			}
			beside = append(beside, busy...)
		}
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

// writesOf times a block of writes. With meanwhile, that is called again and again, and writes are made for
// as long as one goes on.
func (w *world) writesOf(ctx context.Context, u userdb.UserID, meanwhile func()) (all []time.Duration, err error) {
	begun, enough, ended := time.Now(), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for meanwhile != nil {
			meanwhile()
			select {
			case <-enough:
				return
			default:
			}
		}
		<-enough
	}()
	defer func() { <-ended }()
	tell := sync.OnceFunc(func() { close(enough) })
	defer tell()
	for i := 0; ; i++ {
		if i >= writesInBlock || time.Since(begun) > blockBound {
			tell()
		}
		select {
		case <-ended:
			return all, nil
		default:
		}
		took, err := w.request(ctx, u, appRequests[1], i%50+1, "store")
		if err != nil {
			return nil, err
		}
		all = append(all, took)
	}
}
