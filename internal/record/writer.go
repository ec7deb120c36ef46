package record

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Writer writes one run's record. It is safe for concurrent use. The first error stays: after it nothing more
// is written, so that a record never has a hole in its middle.
type Writer struct {
	path string
	key  userdb.ObjectKey
	news chan struct{} // holds something when lines were written

	mu   sync.Mutex
	f    *os.File
	size int64 // whole lines
	err  error
}

// Create begins the record of a run in dir, which is made when it is not there. A record that is there
// already, of an earlier part of the same run, is continued.
func Create(dir string, b Begin) (*Writer, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, name(b.Run))
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, err
	}
	w := &Writer{path: path, key: Key(b.Run), news: make(chan struct{}, 1), f: f, size: info.Size()}
	w.add(map[string]any{"begin": b})
	return w, w.Sync()
}

// Path is the record's file.
func (w *Writer) Path() string { return w.path }

// Begun writes down that a user is begun. A record of a killed run then tells who was in flight.
func (w *Writer) Begun(u userdb.UserID) { w.add(map[string]userdb.UserID{"begun": u}) }

// User writes a user's result, in the shape of --output json, with the time of its end. Each line is one
// write: a run that is killed leaves whole lines.
func (w *Writer) User(at time.Time, result any) {
	text, err := json.Marshal(result)
	if object, whole := bytes.CutSuffix(text, []byte("}")); err == nil && whole && len(object) > 1 {
		text = fmt.Appendf(object, `,"endedAt":%d}`, Millis(at))
	}
	w.append(append(text, '\n'), err)
}

// Wave writes how a wave went, and what its gate said.
func (w *Writer) Wave(wave any) { w.add(map[string]any{"wave": wave}) }

// End writes the last line; summary is the run's, in the shape of --output json.
func (w *Writer) End(at time.Time, summary any) {
	w.add(map[string]any{"end": map[string]any{"at": Millis(at), "summary": summary}})
}

func (w *Writer) add(v any) {
	w.append(encode(v))
}

func (w *Writer) append(text []byte, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
	if w.err != nil {
		return
	}
	if _, w.err = w.f.Write(text); w.err == nil {
		w.size += int64(len(text))
		select {
		case w.news <- struct{}{}:
		default:
		}
	}
}

// forgetNews comes before a copy, which has all lines up to now.
func (w *Writer) forgetNews() {
	select {
	case <-w.news:
	default:
	}
}

func (w *Writer) length() int64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.size
}

// Sync puts what is written on the disk and says what went wrong so far. It renews the file's time, by which
// a reader tells a living run from a dead one.
func (w *Writer) Sync() error {
	w.mu.Lock()
	err := w.err
	w.mu.Unlock()
	if err == nil {
		err = w.f.Sync() // outside the lock: a slow disk holds up no user
	}
	if err == nil {
		now := time.Now()
		err = os.Chtimes(w.path, now, now)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
	return w.err
}

// Close ends the writing; the copy can no longer be made then.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.f.Close()
}

// Copy puts what is written so far into the bucket.
func (w *Writer) Copy(ctx context.Context, files Files) error {
	size := w.length()
	_, err := files.Put(
		ctx,
		w.key,
		io.NewSectionReader(w.f, 0, size),
		size,
		userdb.PutOptions{ContentType: "application/jsonl"},
	)
	return err
}
