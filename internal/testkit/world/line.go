package world

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Trouble is how often, of each request, something happens to it.
type Trouble struct {
	Lost     float64 // it is not delivered
	Late     float64 // it is delivered long after its sender gave up
	NoAnswer float64 // it has its effect, and the answer is lost
	Twice    float64 // it is delivered again, later
	Slow     float64 // it takes seconds
}

// mostLate is how long after its sender gave up a request may still be delivered.
const mostLate = 40 * time.Second

// repeats is how often a client sends a request again, as the engine's real clients do.
const repeats = 3

// Line is one process's way to the world. Requests on it meet trouble by chance, and the process may die.
type Line struct {
	trouble Trouble
	late    *sync.WaitGroup // what is still under way when its sender has given up

	mu   sync.Mutex
	dice *rand.Rand
	left int // requests until the process dies; below 0: it does not
	// changes are those until it dies that change what decides: marks, claims, phases, flags. Below 0: it
	// does not.
	changes int
	dead    bool
	// takes is how long each request takes; 0: any short time.
	takes    time.Duration
	requests int
	carried  int64
}

// Takes lets every request take this long: the time that a command takes is the number of its requests that
// wait for each other.
func (l *Line) Takes(d time.Duration) { l.takes = d }

// Carried is how many requests there were, and how many bytes of files they had.
func (l *Line) Carried() (requests int, bytes int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requests, l.carried
}

func (l *Line) carry(bytes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.carried += int64(bytes)
}

// NewLine makes a line. A request that comes late is counted in late until it was delivered.
func NewLine(dice *rand.Rand, trouble Trouble, late *sync.WaitGroup) *Line {
	return &Line{trouble: trouble, late: late, dice: dice, left: -1, changes: -1}
}

// DieAfter lets the process die at its request number n from now: before or behind the request's effect.
func (l *Line) DieAfter(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.left = n
}

// DieAtChange lets the process die at its n-th request from now that changes what decides.
func (l *Line) DieAtChange(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes = n
}

// change is called before a request that changes what decides.
func (l *Line) change() *Line {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changes == 0 {
		l.left = 0
	}
	l.changes--
	return l
}

// Died says whether the process is dead. Nothing it does has an effect any more, except what is under way.
func (l *Line) Died() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dead
}

var errDead = errors.New("the process is dead")

type fate int

const (
	delivered fate = iota
	lost
	late
	noAnswer
	twice
	diesBefore
	diesBehind
	isDead
)

func (l *Line) roll() (fate, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	took := time.Duration(1+l.dice.IntN(30_000_000)) * time.Nanosecond
	if l.dice.Float64() < l.trouble.Slow {
		took += time.Duration(l.dice.IntN(5_000_000_000))
	}
	if l.takes != 0 {
		took = l.takes
	}
	l.requests++
	if l.dead {
		return isDead, took
	}
	if l.left == 0 {
		l.dead = true
		return []fate{diesBefore, diesBehind, late}[l.dice.IntN(3)], took
	}
	l.left--
	return l.chance(), took
}

// rollInner is the fate of a step of the Worker, which does not die with the process.
func (l *Line) rollInner() (fate, time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	took := time.Duration(1+l.dice.IntN(3_000_000)) * time.Nanosecond
	if l.dice.Float64() < l.trouble.Slow {
		took += time.Duration(l.dice.IntN(5_000_000_000))
	}
	return l.chance(), took
}

func (l *Line) chance() fate {
	point := l.dice.Float64()
	for _, chance := range []struct {
		fate
		share float64
	}{{lost, l.trouble.Lost}, {late, l.trouble.Late}, {noAnswer, l.trouble.NoAnswer}, {twice, l.trouble.Twice}} {
		if point < chance.share {
			return chance.fate
		}
		point -= chance.share
	}
	return delivered
}

// laterBy is any delay: soon is as likely as late.
func (l *Line) laterBy() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return mostLate >> l.dice.IntN(10)
}

// deliverLater runs op; nobody hears of its result.
func (l *Line) deliverLater(op func() error) {
	by := l.laterBy()
	l.late.Go(func() {
		time.Sleep(by)
		_ = op() // nobody hears
	})
}

// Call delivers one request of a router, once: ErrLost is one that had no effect, ErrUnknown one that may
// have.
func (l *Line) Call(_ context.Context, op func() error) error {
	fate, took := l.roll()
	time.Sleep(took)
	switch fate {
	case delivered:
		return op()
	case twice: // a binding does not repeat
		return op()
	case late:
		l.deliverLater(op)
		return ErrUnknown
	case noAnswer:
		_ = op() // its answer is lost
		return ErrUnknown
	}
	return ErrLost
}

// try delivers one request of an engine, with the repetitions of its client.
func try(l *Line, op func() error) error {
	for attempt := 1; ; attempt++ {
		fate, took := l.roll()
		time.Sleep(took)
		switch fate {
		case delivered:
			return op()
		case twice:
			defer l.deliverLater(op)
			return op()
		case late, diesBefore, lost, isDead:
			if fate == late {
				l.deliverLater(op)
			}
		case noAnswer, diesBehind:
			_ = op() // its answer is lost
		}
		if l.Died() {
			return &userdb.Error{Op: "send", Kind: userdb.Unreachable, Err: errDead}
		}
		if attempt == repeats {
			return &userdb.Error{Op: "send", Kind: userdb.Unreachable, Err: errors.New("no answer")}
		}
	}
}

// tryOnce delivers one request of an engine that its client never repeats.
func tryOnce(l *Line, op func() error) error {
	fate, took := l.roll()
	time.Sleep(took)
	switch fate {
	case delivered, twice:
		return op()
	case late:
		l.deliverLater(op)
	case noAnswer, diesBehind:
		_ = op() // its answer is lost
	}
	cause := errors.New("no answer")
	if l.Died() {
		cause = errDead
	}
	return &userdb.Error{Op: "send", Kind: userdb.Unreachable, Err: cause}
}

func ask[T any](l *Line, op func() (T, error)) (T, error) {
	var value T
	var mu sync.Mutex
	err := try(l, func() error {
		v, err := op()
		mu.Lock()
		defer mu.Unlock()
		value = v
		return err
	})
	mu.Lock()
	defer mu.Unlock()
	return value, err
}

// OverLine makes an engine with all its requests over the line.
func (w *World) OverLine(run string, l *Line) *migrate.Engine {
	e := w.Engine(run, lineFiles{l, w.Bucket}, lineStores{l, w.Objects}, lineStores{l, w.Objects})
	e.Composites = lineStores{l, w.Objects.Under(lineInner{l})}
	e.Flags, e.SplitFlags = lineFlags{l, w.Flags}, lineFlags{l, w.SplitFlags}
	return e
}

type lineFiles struct {
	line *Line
	to   *Bucket
}

func (f lineFiles) Head(ctx context.Context, key userdb.ObjectKey) (userdb.Object, error) {
	return ask(f.line, func() (userdb.Object, error) { return f.to.Head(ctx, key) })
}

func (f lineFiles) Get(
	ctx context.Context,
	key userdb.ObjectKey,
	ifMatch userdb.ETag,
	w io.Writer,
) (userdb.Object, error) {
	o, err := ask(f.line, func() (stored, error) { return f.to.read("get", key, ifMatch) })
	if err == nil {
		f.line.carry(len(o.body))
		_, err = w.Write(o.body)
	}
	return o.Object, err
}

func (f lineFiles) GetRange(
	ctx context.Context,
	key userdb.ObjectKey,
	ifMatch userdb.ETag,
	offset, length int64,
) ([]byte, userdb.Object, error) {
	type part struct {
		body []byte
		o    userdb.Object
	}
	p, err := ask(f.line, func() (part, error) {
		body, o, err := f.to.GetRange(ctx, key, ifMatch, offset, length)
		return part{body, o}, err
	})
	f.line.carry(len(p.body))
	return p.body, p.o, err
}

func (f lineFiles) Put(
	_ context.Context,
	key userdb.ObjectKey,
	body io.ReadSeeker,
	_ int64,
	opts userdb.PutOptions,
) (userdb.ETag, error) {
	content, err := io.ReadAll(body)
	if err != nil {
		return "", err
	}
	f.line.carry(len(content))
	return ask(f.line.change(), func() (userdb.ETag, error) { return f.to.put(key, content, opts) })
}

func (f lineFiles) Delete(ctx context.Context, key userdb.ObjectKey) error {
	return try(f.line.change(), func() error { return f.to.Delete(ctx, key) })
}

func (f lineFiles) DeleteOnce(ctx context.Context, key userdb.ObjectKey) error {
	return tryOnce(f.line.change(), func() error { return f.to.Delete(ctx, key) })
}

func (f lineFiles) List(
	ctx context.Context,
	prefix, delimiter string,
	yield func([]userdb.Object, []string) error,
) error {
	type page struct {
		objects []userdb.Object
		folders []string
	}
	// Only an answer yields: a request that arrives late has nobody who listens.
	pages, err := ask(f.line, func() (pages []page, err error) {
		err = f.to.List(ctx, prefix, delimiter, func(objects []userdb.Object, folders []string) error {
			pages = append(pages, page{objects, folders})
			return nil
		})
		return pages, err
	})
	for _, p := range pages {
		if err == nil {
			err = yield(p.objects, p.folders)
		}
	}
	return err
}

type lineFlags struct {
	line *Line
	to   *Flags
}

func (f lineFlags) List(ctx context.Context, prefix string, yield func([]userdb.Flag) error) error {
	pages, err := ask(f.line, func() (pages [][]userdb.Flag, err error) {
		err = f.to.List(ctx, prefix, func(flags []userdb.Flag) error {
			pages = append(pages, flags)
			return nil
		})
		return pages, err
	})
	for _, page := range pages {
		if err == nil {
			err = yield(page)
		}
	}
	return err
}

func (f lineFlags) Get(ctx context.Context, users []userdb.UserID) (map[userdb.UserID]userdb.Flag, error) {
	return ask(f.line, func() (map[userdb.UserID]userdb.Flag, error) { return f.to.Get(ctx, users) })
}

func (f lineFlags) Put(ctx context.Context, flags []userdb.Flag) error {
	return try(f.line.change(), func() error { return f.to.Put(ctx, flags) })
}

func (f lineFlags) Delete(ctx context.Context, users []userdb.UserID) error {
	return try(f.line.change(), func() error { return f.to.Delete(ctx, users) })
}

type lineStores struct {
	line *Line
	to   *Objects
}

func (s lineStores) Status(ctx context.Context, u userdb.UserID) (wire.Status, error) {
	return ask(s.line, func() (wire.Status, error) { return s.to.Status(ctx, u) })
}

func (s lineStores) Claim(ctx context.Context, u userdb.UserID, req wire.ClaimRequest) (wire.Claimed, error) {
	return ask(s.line.change(), func() (wire.Claimed, error) { return s.to.Claim(ctx, u, req) })
}

func (s lineStores) Reset(ctx context.Context, u userdb.UserID, g userdb.Claim) (wire.Status, error) {
	return ask(s.line.change(), func() (wire.Status, error) { return s.to.Reset(ctx, u, g) })
}

func (s lineStores) Schema(
	ctx context.Context,
	u userdb.UserID,
	g userdb.Claim,
	schema wire.Schema,
) (wire.Status, error) {
	return ask(s.line, func() (wire.Status, error) { return s.to.Schema(ctx, u, g, schema) })
}

func (s lineStores) Rows(
	ctx context.Context,
	u userdb.UserID,
	g userdb.Claim,
	seq int64,
	batch []byte,
) (wire.RowsAnswer, error) {
	batch = bytes.Clone(batch) // it may be delivered when the sender's buffer holds something else
	return ask(s.line, func() (wire.RowsAnswer, error) { return s.to.Rows(ctx, u, g, seq, batch) })
}

func (s lineStores) Finish(ctx context.Context, u userdb.UserID, g userdb.Claim, batches int64) error {
	return try(s.line, func() error { return s.to.Finish(context.WithoutCancel(ctx), u, g, batches) })
}

func (s lineStores) Digest(ctx context.Context, u userdb.UserID) (wire.DigestReport, error) {
	return ask(
		s.line,
		func() (wire.DigestReport, error) { return s.to.Digest(context.WithoutCancel(ctx), u) },
	)
}

func (s lineStores) FreshDigest(ctx context.Context, u userdb.UserID) (wire.DigestReport, error) {
	return ask(
		s.line,
		func() (wire.DigestReport, error) { return s.to.FreshDigest(context.WithoutCancel(ctx), u) },
	)
}

func (s lineStores) Range(
	ctx context.Context,
	u userdb.UserID,
	req wire.RangeRequest,
) (wire.RangeDigest, error) {
	return ask(
		s.line,
		func() (wire.RangeDigest, error) { return s.to.Range(context.WithoutCancel(ctx), u, req) },
	)
}

func (s lineStores) Ready(
	ctx context.Context,
	u userdb.UserID,
	g userdb.Claim,
	d wire.DatabaseDigest,
	r wire.Receipt,
) (wire.Status, error) {
	return ask(
		s.line.change(),
		func() (wire.Status, error) { return s.to.Ready(context.WithoutCancel(ctx), u, g, d, r) },
	)
}

func (s lineStores) Activate(ctx context.Context, u userdb.UserID, g userdb.Claim) (wire.Status, error) {
	return ask(s.line.change(), func() (wire.Status, error) { return s.to.Activate(ctx, u, g) })
}

func (s lineStores) ExportSchema(ctx context.Context, u userdb.UserID) (wire.ExportSchema, error) {
	return ask(
		s.line,
		func() (wire.ExportSchema, error) { return s.to.ExportSchema(context.WithoutCancel(ctx), u) },
	)
}

func (s lineStores) ExportRows(
	ctx context.Context,
	u userdb.UserID,
	req wire.ExportRequest,
) (*wire.ExportPage, error) {
	return ask(
		s.line,
		func() (*wire.ExportPage, error) { return s.to.ExportRows(context.WithoutCancel(ctx), u, req) },
	)
}

func (s lineStores) Release(ctx context.Context, u userdb.UserID, g userdb.Claim) (wire.Status, error) {
	return ask(s.line.change(), func() (wire.Status, error) { return s.to.Release(ctx, u, g) })
}

func (s lineStores) Thaws(ctx context.Context, u userdb.UserID) ([]wire.Thaw, error) {
	return ask(s.line, func() ([]wire.Thaw, error) { return s.to.Thaws(ctx, u) })
}

func (s lineStores) Merge(ctx context.Context, u userdb.UserID, g userdb.Claim) (wire.Status, error) {
	return ask(s.line.change(), func() (wire.Status, error) { return s.to.Merge(ctx, u, g) })
}

func (s lineStores) Mark(ctx context.Context, u userdb.UserID, req wire.MarkRequest) (userdb.ETag, error) {
	return ask(s.line.change(), func() (userdb.ETag, error) { return s.to.Mark(ctx, u, req) })
}

func (s lineStores) Names(ctx context.Context, u userdb.UserID) (wire.FileSeen, error) {
	return ask(s.line, func() (wire.FileSeen, error) { return s.to.Names(ctx, u) })
}

func (s lineStores) Fence(ctx context.Context, u userdb.UserID, req wire.FenceRequest) (wire.Fenced, error) {
	return ask(s.line.change(), func() (wire.Fenced, error) { return s.to.Fence(ctx, u, req) })
}

func (s lineStores) Import(
	ctx context.Context,
	u userdb.UserID,
	req wire.ImportRequest,
) (wire.Imported, error) {
	req.Batch = bytes.Clone(req.Batch)
	return ask(s.line.change(), func() (wire.Imported, error) { return s.to.Import(ctx, u, req) })
}

func (s lineStores) Switch(
	ctx context.Context,
	u userdb.UserID,
	req wire.SwitchRequest,
) (wire.Switched, error) {
	return ask(s.line.change(), func() (wire.Switched, error) { return s.to.Switch(ctx, u, req) })
}

func (s lineStores) Return(
	ctx context.Context,
	u userdb.UserID,
	req wire.BackRequest,
) (wire.Returned, error) {
	return ask(
		s.line.change(),
		func() (wire.Returned, error) { return s.to.Return(context.WithoutCancel(ctx), u, req) },
	)
}

func (s lineStores) Export(
	ctx context.Context,
	u userdb.UserID,
	req wire.BackRequest,
) (*wire.Exported, error) {
	return ask(
		s.line.change(),
		func() (*wire.Exported, error) { return s.to.Export(context.WithoutCancel(ctx), u, req) },
	)
}
