package record

import (
	"context"
	"time"
)

const (
	// copyEvery is how often the copy in R2 is renewed: its age tells a living run from a dead one.
	copyEvery = time.Minute
	// copyShare keeps the copying of a long record to a twentieth of the time,
	copyShare = 20
	// mostBetween but never further apart than this, which is less than Fresh.
	mostBetween = 4 * time.Minute
	// copySoon is how soon new lines are copied, so that a run that is killed tells who was in flight. It
	// grows with the record, by itself for each smallRecord bytes: at most 3 MB a minute travel, or the
	// record's size.
	copySoon    = 5 * time.Second
	smallRecord = 256 << 10
	// soonShare keeps this copying to a fifth of the time, where the bucket is slow.
	soonShare = 4
	// lastCopy bounds how long the end of a command waits for its last copy.
	lastCopy = 30 * time.Second
)

// Fresh is the age up to which a record without an end is that of a running command.
const Fresh = 6 * time.Minute

// Keeper renews the copy of a record while its run goes on.
type Keeper struct {
	w     *Writer
	files Files // nil: no copy
	warn  func(error)

	halt    context.CancelFunc
	stopped chan struct{}
	warned  bool
}

// Keep begins to renew the copy; files may be nil, then only the record's own time is renewed. warn is told
// of the first failure; the run goes on.
func Keep(w *Writer, files Files, warn func(error)) *Keeper {
	ctx, halt := context.WithCancel(context.Background())
	k := &Keeper{w: w, files: files, warn: warn, halt: halt, stopped: make(chan struct{})}
	go k.run(ctx)
	return k
}

func (k *Keeper) run(ctx context.Context) {
	defer close(k.stopped)
	for ctx.Err() == nil {
		k.w.forgetNews()
		least, most := pauses(k.w.length(), k.renew(ctx))
		k.rest(ctx, least, most)
	}
}

// pauses are how long the next copy waits: at least, where there are new lines, and at most.
func pauses(size int64, took time.Duration) (least, most time.Duration) {
	most = min(max(copyEvery, copyShare*took), mostBetween)
	return min(max(copySoon*time.Duration(1+size/smallRecord), soonShare*took), most), most
}

func (k *Keeper) rest(ctx context.Context, least, most time.Duration) {
	news := k.w.news
	if k.files == nil { // only the record's time is renewed, and a new line renews it, too
		news = nil
	}
	select {
	case <-ctx.Done():
		return
	case <-time.After(least):
	}
	select {
	case <-ctx.Done():
	case <-news:
	case <-time.After(most - least):
	}
}

// End makes the last copy, and closes the record.
func (k *Keeper) End() {
	k.halt()
	<-k.stopped
	ctx, cancel := context.WithTimeout(context.Background(), lastCopy)
	defer cancel()
	k.warned = false // the last copy is the one that counts
	k.renew(ctx)
	if err := k.w.Close(); err != nil {
		k.warn(err)
	}
}

func (k *Keeper) renew(ctx context.Context) time.Duration {
	begun := time.Now()
	err := k.w.Sync()
	if err == nil && k.files != nil {
		err = k.w.Copy(ctx, k.files)
	}
	if err != nil && ctx.Err() != context.Canceled && !k.warned {
		k.warned = true
		k.warn(err)
	}
	return time.Since(begun)
}
