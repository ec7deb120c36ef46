package migrate

import (
	"context"
	"crypto/rand"
	"io"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/gc"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/quarantine"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Engine runs the commands. All fields but the last block are needed; Engines hold no per-run state and may
// be used by many goroutines.
type Engine struct {
	Files Files
	Flags Flags
	// SplitFlags are the flags of split users.
	SplitFlags Flags
	Stores     Stores
	Layout     userdb.Layout
	// Quarantine is asked and told by the command, not by Migrate; only migrate and status need it.
	Quarantine *quarantine.List

	// Bucket names the bucket in receipts, so that a command on another one does not take its emptiness for
	// the user's state.
	Bucket string
	// Limits are the platform's, as the Worker states them.
	Limits wire.Limits
	// Marker puts the fence into files of up to MarkBytes, which the Worker states. Others are uploaded once
	// more.
	Marker    Marker
	MarkBytes int64
	// TellsNames says that Marker tells what S3 would not carry of an object.
	TellsNames bool
	// FenceBytes is the largest file that Marker fences as it is by then; 0 where it does not.
	FenceBytes int64
	// Composites takes the composite requests in Offered, which the Worker names. The others go step by step.
	Composites Composites
	Offered    []string
	// Snapshots reads Durable Objects of up to SnapshotBytes at once; 0: all are read page by page.
	Snapshots     Snapshots
	SnapshotBytes int64
	// Procedure is how a migrate treats writers that know no fence.
	Procedure Procedure
	// Scratch holds the spooled files of the users in flight; nil means the system's folder for temporary
	// files.
	Scratch userfile.Scratch
	// Checks open users' files; nil: in this process, without a budget.
	Checks userfile.Checks
	// Stopping ends when no more users are begun; nil: never. A check that goes on for long is given up then.
	Stopping context.Context
	// Run names this run in receipts and flags; Version is dbmigrate's own.
	Run, Version string

	// Concurrency is how many users are in flight at once, at most; at least 1.
	Concurrency int
	// WritePause is how long a backup waits between two requests while the application writes; 0: 2 seconds.
	WritePause time.Duration
	// Turns decide who imports; nil: everybody at once.
	Turns Turns
	// WriteProof, when set, remembers for all users of a run whether the command may write to the bucket.
	WriteProof *WriteProof
	// Observe, when set, is told of each step. It is called from many goroutines and must not block.
	Observe func(result.Event)
	// Now is the operator's clock, for receipts; time.Now when nil.
	Now func() time.Time
	// Random fills the random part of marks; crypto/rand when nil.
	Random io.Reader

	freeOn func(dir string) (int64, error) // for tests
}

func (e *Engine) now() time.Time {
	if e.Now != nil {
		return e.Now()
	}
	return time.Now()
}

// importTurn waits for a user's turn to import. The caller gives it back with end.
func (e *Engine) importTurn(ctx context.Context, bytes int64) (end func()) {
	if e.Turns == nil {
		return func() {}
	}
	return e.Turns.Import(ctx, bytes)
}

func (e *Engine) random() io.Reader {
	if e.Random != nil {
		return e.Random
	}
	return rand.Reader
}

func (e *Engine) observe(ev result.Event) {
	if e.Observe != nil {
		e.Observe(ev)
	}
}

// source reads users' files for the engine.
func (e *Engine) source() *userfile.Source {
	return &userfile.Source{
		Files:   e.Files,
		Layout:  e.Layout,
		Limits:  e.Limits,
		Scratch: e.Scratch,
		Checks:  e.Checks,
		Observe: e.Observe,
		Now:     e.Now,
	}
}

// writer replaces users' files for the engine.
func (e *Engine) writer() *userfile.Writer {
	w := &userfile.Writer{Files: e.Files, MarkBytes: e.MarkBytes, TellsNames: e.TellsNames, Random: e.random()}
	if e.Marker != nil {
		w.Worker = e.Marker
	}
	return w
}

func (e *Engine) sides() *userfile.Sides {
	return &userfile.Sides{Source: e.source(), Objects: e.Stores, Bucket: e.Bucket}
}

// look looks at the user's file for a command. A deletion that has begun can only be ended, so every other
// command stops there.
func (e *Engine) look(ctx context.Context, u userdb.UserID) (userfile.Version, error) {
	file, err := e.source().Look(ctx, u)
	if err == nil && file.Deletion != "" {
		err = userfile.IsBeingDeleted(u)
	}
	return file, err
}

func (e *Engine) download(ctx context.Context, u userdb.UserID) (*userfile.Copy, error) {
	return e.source().Fetch(ctx, u)
}

// lastChecks is how long a check may go on after the command was told to stop. Most files take far less, and
// their users are finished.
const lastChecks = 3 * time.Second

// untilStopped ends a while after e.Stopping does: a file under check may take minutes, and nothing has been
// claimed yet.
func (e *Engine) untilStopped(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if e.Stopping == nil {
		return ctx, func() { cancel(nil) }
	}
	stop := context.AfterFunc(e.Stopping, func() {
		time.AfterFunc(lastChecks, func() { cancel(context.Cause(e.Stopping)) })
	})
	return ctx, func() { stop(); cancel(nil) }
}

// Inspect looks at users through the engine's ports.
func (e *Engine) Inspect() *inspect.Inspector {
	return &inspect.Inspector{
		Files:      e.Files,
		Flags:      e.Flags,
		SplitFlags: e.SplitFlags,
		Stores:     e.Stores,
		Layout:     e.Layout,
		Bucket:     e.Bucket,
		Limits:     e.Limits,
		Scratch:    e.Scratch,
		Checks:     e.Checks,
		Observe:    e.Observe,
		Now:        e.Now,
	}
}

// GarbageCollector frees kept files through the engine's ports.
func (e *Engine) GarbageCollector() *gc.Collector {
	return &gc.Collector{
		Inspector:   e.Inspect(),
		Objects:     e.Files,
		Run:         e.Run,
		Version:     e.Version,
		Concurrency: e.Concurrency,
	}
}
