package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

const (
	// slice is how long the backups go on, or stand still, in turn: what else the machine does then falls on
	// both alike.
	slice = time.Second
	// slicesInRound are of both kinds.
	slicesInRound = 20
	// settling writes count for neither: a request of the backup may be under way when it is stopped.
	settling = 50 * time.Millisecond
)

// backups measures writes of a user in a Durable Object, in turn alone and while that user is backed up.
func backups(ctx context.Context, w *world) (string, error) {
	var out strings.Builder
	fmt.Fprintf(&out, "Writes through wrangler's proxy, one after the other, while one `dbmigrate backup` follows another. "+
		"The backup is stopped (SIGSTOP) in every second of %s, so that both kinds meet the same machine: %d slices%s. "+
		"The backup's process has the lowest priority and its files in memory, since an operator's machine is another one than the object's. "+
		"Writes count while it reads the object: what a command asks of Worker and R2 before that, it asks once for a whole fleet.\n\n",
		slice, w.rounds*slicesInRound, load())
	fmt.Fprintln(&out, "| database | writes alone | median | p99 | longest | beside a backup | median | p99 | longest | p99, ratio | backups made | each |\n"+
		"|---|---|---|---|---|---|---|---|---|---|---|---|")
	for _, size := range []string{"S", "M"} {
		row, err := w.backupsOf(ctx, size)
		if err != nil {
			return "", err
		}
		fmt.Fprintln(&out, row)
	}
	return out.String(), nil
}

func (w *world) backupsOf(ctx context.Context, size string) (row string, err error) {
	db, err := w.database(ctx, size)
	if err != nil {
		return "", err
	}
	u, err := w.upload(ctx, db)
	if err != nil {
		return "", err
	}
	if _, err := w.dbmigrate(ctx, "migrate", string(u)); err != nil {
		return "", err
	}
	b := w.startBackups(ctx, u)
	defer func() { err = errors.Join(err, b.end()) }()
	var times [2][]time.Duration // alone, beside
	for n := range w.rounds * slicesInRound {
		beside := n % 2
		b.goOn(beside == 1)
		counts := func() bool { return true }
		if beside == 1 {
			counts = b.reads
		}
		some, err := w.writesFor(ctx, u, slice, counts)
		if err != nil {
			return "", err
		}
		times[beside] = append(times[beside], some...)
	}
	alone, beside := times[0], times[1]
	made, each := b.made()
	return fmt.Sprintf("| %s | %d | %s | %s | %s | %d | %s | %s | %s | **%.2f** | %d | %s |", size,
		len(alone), milliseconds(median(alone)), milliseconds(quantile(alone, 0.99)), milliseconds(quantile(alone, 1)),
		len(beside), milliseconds(median(beside)), milliseconds(quantile(beside, 0.99)), milliseconds(quantile(beside, 1)),
		quantile(beside, 0.99).Seconds()/quantile(alone, 0.99).Seconds(), made, seconds(each)), nil
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
	if strings.Contains(string(p), "export/follow") {
		w.of.mu.Lock()
		w.of.reading = true
		w.of.mu.Unlock()
	}
	return w.text.Write(p)
}

func (b *backupLoop) reads() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.reading
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
