package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// slice is how long backups are made, or none: many of a backup's pauses, and short enough for what else the
// machine does to fall on both.
const slice = 30 * time.Second

// backups measures writes of a user in a Durable Object, in turn alone and while that user is backed up, at
// the runtime itself: wrangler's proxy takes most of a request's time, and no Worker has it in production.
func backups(ctx context.Context, w *world) (string, error) {
	var out strings.Builder
	fmt.Fprintf(&out, "Writes one after the other: in turn alone and while one `dbmigrate backup` follows another, "+
		"by lot one or the other first, so that both kinds meet the same machine: %d times %.0f seconds each%s. "+
		"The interval holds nine in ten of the ratios if the pairs are drawn again. "+
		"The backup's process has the lowest priority and its files in memory, since an operator's machine is another one than the object's. "+
		"Writes count while it reads the object: what a command asks of Worker and R2 before that, it asks once for a whole fleet.\n\n",
		w.rounds, slice.Seconds(), load())
	fmt.Fprintln(&out, "| database | writes alone | median | p99 | longest | beside a backup | median | p99 | longest | p99, ratio | interval | requests | backups made |\n"+
		"|---|---|---|---|---|---|---|---|---|---|---|---|---|")
	for _, size := range []string{"S", "M"} {
		u, err := w.migrated(ctx, size)
		if err != nil {
			return "", err
		}
		direct, err := w.withoutProxy(ctx, u)
		if err != nil {
			return "", err
		}
		row, err := direct.backupsOf(ctx, u)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&out, "| %s | %s |\n", size, row)
	}
	return out.String(), nil
}

// migrated is a new user in a Durable Object.
func (w *world) migrated(ctx context.Context, size string) (userdb.UserID, error) {
	db, err := w.database(ctx, size)
	if err != nil {
		return "", err
	}
	u, err := w.upload(ctx, db)
	if err != nil {
		return "", err
	}
	_, err = w.dbmigrate(ctx, "migrate", string(u))
	return u, err
}

func (w *world) backupsOf(ctx context.Context, u userdb.UserID) (string, error) {
	dice := rand.New(rand.NewPCG(1, 1))
	var times compared
	asked, made := 0, 0
	for range w.rounds {
		var pair [2][]time.Duration // alone, beside
		first := dice.IntN(2)
		for _, beside := range []int{first, 1 - first} {
			var err error
			if beside == 0 {
				pair[beside], err = w.writesFor(ctx, u, slice, func() bool { return true })
			} else {
				b := w.startBackups(ctx, u)
				pair[beside], err = w.writesFor(ctx, u, slice, b.reads)
				err = errors.Join(err, b.end(), w.endLog(ctx, u))
				asked, made = asked+b.asked, made+b.count
			}
			if err != nil {
				return "", err
			}
		}
		times.add(pair[0], pair[1])
	}
	alone, beside := slices.Concat(times.alone...), slices.Concat(times.beside...)
	return fmt.Sprintf("%d | %s | %s | %s | %d | %s | %s | %s | **%.2f** | %s | %d | %d",
		len(alone), milliseconds(median(alone)), milliseconds(quantile(alone, 0.99)), milliseconds(quantile(alone, 1)),
		len(beside), milliseconds(median(beside)), milliseconds(quantile(beside, 0.99)), milliseconds(quantile(beside, 1)),
		times.ratio(0.99), times.interval(0.99), asked, made), nil
}

// writesFor times writes that count.
func (w *world) writesFor(
	ctx context.Context,
	u userdb.UserID,
	long time.Duration,
	counts func() bool,
) (all []time.Duration, err error) {
	begun := time.Now()
	for i := 0; time.Since(begun) < long; i++ {
		counted := counts()
		took, err := w.request(ctx, u, appRequests[1], i%50+1, "store")
		if err != nil {
			return nil, err
		}
		if counted && counts() {
			all = append(all, took)
		}
	}
	return all, nil
}

// backupLoop makes one backup after the other.
type backupLoop struct {
	stop context.CancelFunc
	done chan struct{}

	mu      sync.Mutex
	reading bool // the process under way asked the object for rows
	asked   int  // requests for rows
	count   int
	failed  error
}

func (w *world) startBackups(ctx context.Context, u userdb.UserID) *backupLoop {
	ctx, stop := context.WithCancel(ctx)
	b := &backupLoop{stop: stop, done: make(chan struct{})}
	go func() {
		defer close(b.done)
		for ctx.Err() == nil && b.failed == nil {
			if err := b.once(ctx, w, u); err != nil && ctx.Err() == nil {
				b.mu.Lock()
				b.failed = err
				b.mu.Unlock()
			}
		}
	}()
	return b
}

func (b *backupLoop) once(ctx context.Context, w *world, u userdb.UserID) error {
	dir, err := os.MkdirTemp(inMemory(w.dir), "backup-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cmd := exec.CommandContext(ctx, "nice", "-n", "19", w.binary, "backup", string(u), "--to", filepath.Join(dir, "copies"), "--debug")
	cmd.Env = append([]string{"HOME=" + dir, "TMPDIR=" + dir, "PATH=" + os.Getenv("PATH"), "DBMIGRATE_LOCATION_HINT=weur"}, w.cloud.Env()...)
	said := &watched{of: b}
	cmd.Stdout, cmd.Stderr = said, said
	err = cmd.Run()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.reading = false
	if err != nil {
		return fmt.Errorf("backup: %w\n%s", err, said.text.String())
	}
	b.count++
	return nil
}

// inMemory is a folder beside the disk on which the object's writes wait: an operator's disk is another one.
func inMemory(otherwise string) string {
	const shared = "/dev/shm"
	if info, err := os.Stat(shared); err == nil && info.IsDir() {
		return shared
	}
	return otherwise
}

// watched is what a backup says. With --debug it names its requests.
type watched struct {
	of   *backupLoop
	text strings.Builder
}

func (w *watched) Write(p []byte) (int, error) {
	if asked := strings.Count(string(p), "export/follow"); asked > 0 {
		w.of.mu.Lock()
		w.of.reading = true
		w.of.asked += asked
		w.of.mu.Unlock()
	}
	return w.text.Write(p)
}

func (b *backupLoop) reads() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reading
}

// endLog lets the object forget what it notes for a copy, which is no part of writes alone. A backup that is
// killed does not say that it has ended.
func (w *world) endLog(ctx context.Context, u userdb.UserID) error {
	at, err := w.stores.Follow(ctx, u, wire.FollowRequest{})
	if err == nil {
		_, err = w.stores.Follow(ctx, u, wire.FollowRequest{Since: &at.Writes, End: true})
	}
	return err
}

func (b *backupLoop) end() error {
	b.stop()
	<-b.done
	return b.failed
}
