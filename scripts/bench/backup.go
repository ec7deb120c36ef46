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
	"syscall"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

const (
	// slice is how long the backups go on, or stand still: what else the machine does then falls on both
	// alike.
	slice = time.Second
	// slicesInRound are of both kinds.
	slicesInRound = 20
	// settling writes count for neither: a request of the backup may be under way when it is stopped.
	settling = 50 * time.Millisecond
)

// backups measures writes of a user in a Durable Object, in turn alone and while that user is backed up: at
// the runtime itself, and through wrangler's proxy.
func backups(ctx context.Context, w *world) (string, error) {
	var out strings.Builder
	fmt.Fprintf(&out, "Writes one after the other, while one `dbmigrate backup` follows another. "+
		"The backup is stopped (SIGSTOP) in one second of two, by lot the first or the second one, so that both kinds meet the same machine: %d seconds each%s. "+
		"The interval holds nine in ten of the ratios if the pairs of seconds are drawn again. "+
		"The backup's process has the lowest priority and its files in memory, since an operator's machine is another one than the object's. "+
		"Writes count while it reads the object: what a command asks of Worker and R2 before that, it asks once for a whole fleet.\n\n",
		w.rounds*slicesInRound/2, load())
	fmt.Fprintln(&out, "| database | asked | writes alone | median | p99 | longest | beside a backup | median | p99 | longest | p99, ratio | interval | requests | backups made | each |\n"+
		"|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|")
	for _, size := range []string{"S", "M"} {
		u, err := w.migrated(ctx, size)
		if err != nil {
			return "", err
		}
		direct, err := w.withoutProxy(ctx, u)
		if err != nil {
			return "", err
		}
		for _, asked := range []struct {
			how string
			*world
		}{{"the runtime", direct}, {"wrangler's proxy", w}} {
			row, err := asked.backupsOf(ctx, u)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&out, "| %s | %s | %s |\n", size, asked.how, row)
		}
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

func (w *world) backupsOf(ctx context.Context, u userdb.UserID) (row string, err error) {
	b := w.startBackups(ctx, u)
	defer func() { err = errors.Join(err, b.end()) }()
	dice := rand.New(rand.NewPCG(1, 1))
	var times compared
	for range w.rounds * slicesInRound / 2 {
		var pair [2][]time.Duration // alone, beside
		first := dice.IntN(2)
		for _, beside := range []int{first, 1 - first} {
			b.goOn(beside == 1)
			counts := func() bool { return true }
			if beside == 1 {
				counts = b.reads
			}
			if pair[beside], err = w.writesFor(ctx, u, slice, counts); err != nil {
				return "", err
			}
		}
		times.add(pair[0], pair[1])
	}
	alone, beside := slices.Concat(times.alone...), slices.Concat(times.beside...)
	made, each := b.made()
	return fmt.Sprintf("%d | %s | %s | %s | %d | %s | %s | %s | **%.2f** | %s | %d | %d | %s",
		len(alone), milliseconds(median(alone)), milliseconds(quantile(alone, 0.99)), milliseconds(quantile(alone, 1)),
		len(beside), milliseconds(median(beside)), milliseconds(quantile(beside, 0.99)), milliseconds(quantile(beside, 1)),
		times.ratio(0.99), times.interval(0.99), b.requests(), made, seconds(each)), nil
}

// writesFor times writes that count, but for the first.
func (w *world) writesFor(
	ctx context.Context,
	u userdb.UserID,
	long time.Duration,
	counts func() bool,
) (all []time.Duration, err error) {
	begun := time.Now()
	for i := 0; time.Since(begun) < long; i++ {
		settled := time.Since(begun) > settling && counts()
		took, err := w.request(ctx, u, appRequests[1], i%50+1, "store")
		if err != nil {
			return nil, err
		}
		if settled && counts() {
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
	process int // 0: none
	stopped bool
	reading bool // the process under way asked the object for rows
	asked   int  // requests for rows
	count   int
	awake   time.Duration // of those made, without the time that they were stopped
	since   time.Time
	failed  error
}

func (w *world) startBackups(ctx context.Context, u userdb.UserID) *backupLoop {
	ctx, stop := context.WithCancel(ctx)
	b := &backupLoop{stop: stop, done: make(chan struct{}), stopped: true}
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
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	said := &watched{of: b}
	cmd.Stdout, cmd.Stderr = said, said
	b.mu.Lock()
	err = cmd.Start()
	if err == nil {
		b.process = cmd.Process.Pid
		b.signal()
	}
	b.mu.Unlock()
	if err == nil {
		err = cmd.Wait()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.process, b.reading = 0, false
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

func (b *backupLoop) requests() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.asked
}

// goOn lets the backup under way run, or stops it.
func (b *backupLoop) goOn(run bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if run == b.stopped {
		if run {
			b.since = time.Now()
		} else {
			b.awake += time.Since(b.since)
		}
	}
	b.stopped = !run
	b.signal()
}

func (b *backupLoop) signal() {
	if b.process == 0 {
		return
	}
	which := syscall.SIGCONT
	if b.stopped {
		which = syscall.SIGSTOP
	}
	_ = syscall.Kill(-b.process, which) // it may have ended
}

// made says how many backups came to their end, and how long each took while it was not stopped.
func (b *backupLoop) made() (count int, each time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.count, b.awake / time.Duration(max(b.count, 1))
}

func (b *backupLoop) end() error {
	b.stop()
	<-b.done
	return b.failed
}
