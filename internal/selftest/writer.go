package selftest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

const (
	writeEvery = 50 * time.Millisecond
	writeWaits = 30 * time.Millisecond
	// writePatience is how long a write may wait before it is a failure.
	writePatience = time.Minute
)

// writers are what an application does: each asks the object first, and then the file, which it saves on
// condition of the version that it loaded.
type writers struct {
	lab  *lab
	stop chan struct{}
	all  sync.WaitGroup

	mu            sync.Mutex
	acked, unsure []string
	longest       time.Duration
	lost          int // PUTs of the longest write that another version of the file refused
	failure       error
}

func (l *lab) startWriters(ctx context.Context, n int) *writers {
	w := &writers{lab: l, stop: make(chan struct{})}
	for i := range n {
		w.all.Go(func() { w.run(ctx, i) })
	}
	return w
}

// end waits for the writes under way.
func (w *writers) end() error {
	close(w.stop)
	w.all.Wait()
	return w.failure
}

// takePause is the longest wait since it was last asked, and how many PUTs of that write were lost.
func (w *writers) takePause() (longest time.Duration, lost int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	longest, lost = w.longest, w.lost
	w.longest, w.lost = 0, 0
	return longest, lost
}

func (w *writers) run(ctx context.Context, id int) {
	for n := 0; ; n++ {
		select {
		case <-w.stop:
			return
		case <-ctx.Done():
			return
		case <-time.After(writeEvery):
		}
		note := fmt.Sprintf("w%d-%d", id, n)
		began := time.Now()
		sure, lost, err := w.write(ctx, note)
		w.note(note, time.Since(began), lost, sure, err)
	}
}

func (w *writers) note(note string, waited time.Duration, lost int, sure bool, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err == nil && sure:
		w.acked = append(w.acked, note)
	default:
		w.unsure = append(w.unsure, note)
		if err != nil && w.failure == nil && userdb.KindOf(err) != userdb.Unreachable {
			w.failure = fmt.Errorf("write %s: %w", note, err)
		}
	}
	if waited > w.longest {
		w.longest, w.lost = waited, lost
	}
}

var errTooSlow = errors.New("it waited longer than a minute")

// write is one write of the application. sure is false where an answer was lost on the way.
func (w *writers) write(ctx context.Context, note string) (sure bool, lost int, err error) {
	sure = true
	for began := time.Now(); time.Since(began) < writePatience; time.Sleep(writeWaits) {
		written, err := w.lab.Worker().TryWrite(ctx, User, note)
		if err != nil && userdb.KindOf(err) != userdb.NotFound {
			return false, lost, err
		}
		if !written {
			written, err = w.writeFile(ctx, note)
			if errors.Is(err, errLostPut) {
				lost++
				continue
			}
		}
		if err != nil || written {
			return sure && err == nil, lost, err
		}
	}
	return false, lost, errTooSlow
}

// errLostPut says that the file is another one than the one that was read.
var errLostPut = errors.New("another writer was faster")

func (w *writers) writeFile(ctx context.Context, note string) (written bool, err error) {
	l := w.lab
	file, err := l.Inspect().Source().Fetch(ctx, User)
	if userdb.KindOf(err) == userdb.NotFound {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Remove()
	if file.Fenced() || file.What != userdb.SQLiteFile {
		return false, nil
	}
	if there, err := notes(file.Path); err != nil || slices.Contains(there, note) {
		return err == nil, err // it took effect, and its answer was lost
	}
	err = onDatabase(file.Path, capi.ReadWrite, fmt.Sprintf("INSERT INTO dbmigrate_selftest (note) VALUES ('%s')", note))
	if err != nil {
		return false, err
	}
	body, err := os.ReadFile(file.Path)
	if err != nil {
		return false, err
	}
	_, err = l.put(ctx, l.key(), body, userdb.PutOptions{
		IfMatch: file.ETag, ContentType: userfile.ContentType, Metadata: userdb.WithoutContent(file.Object.Metadata, file.ETag),
	})
	if userdb.KindOf(err) == userdb.Precondition {
		return false, errLostPut
	}
	return err == nil, err
}
