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
	for {
		took := k.renew(ctx)
		select {
		case <-ctx.Done():
			return
		case <-time.After(min(max(copyEvery, copyShare*took), mostBetween)):
		}
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
