package scan

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/scanlog"
	"github.com/dbmigrate/dbmigrate/internal/spill"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// History says where scans are remembered.
type History struct {
	// File is the history's file; "" is one for each bucket and layout in Dir. InR2 keeps it in the bucket
	// instead.
	File string
	InR2 bool
	// Dir is the folder of histories, or why there is none.
	Dir func() (string, error)
	// Needed says that the command cannot do without a history.
	Needed bool
	Scope  scanlog.Scope
}

const (
	// apart is the least interval between scans: of closer ones only the newest counts.
	apart = time.Hour
	// back is how old a scan may be that counts. Growth over more than three months says little about the
	// next one.
	back = 90 * units.Day
)

// Memory is an open history.
type Memory interface {
	// update hands out the history with which to record and read. It may call do again when, in the bucket,
	// another machine was faster.
	update(ctx context.Context, do func(*scanlog.History) error) error
}

// Open finds the history before anything is read, so that one that is damaged or of another bucket stops the
// command at once. nil: there is none. A place that cannot be written, such as a full disk, makes this a
// warning, unless the history is needed.
func (h *History) Open(
	ctx context.Context,
	files migrate.Files,
	scratch userfile.Scratch,
	warn func(string, ...any),
) (Memory, error) {
	if h.InR2 {
		m := &bucketMemory{files: files, scratch: scratch, scope: h.Scope, key: h.key()}
		return m, m.once(ctx, func(*scanlog.History) (bool, error) { return false, nil })
	}
	path, err := h.path()
	if err != nil {
		err = noPlace(err)
	}
	m := fileMemory{path, h.Scope}
	if err == nil {
		err = m.update(ctx, func(*scanlog.History) error { return nil })
	}
	if errors.Is(err, scanlog.ErrUnwritable) && !h.Needed {
		warn(notKept, err)
		return nil, nil
	}
	return m, err
}

// notKept is the warning of a scan that nobody will remember.
const notKept = "scan: no history is kept: %v"

// noPlace says that there is no folder for a history.
func noPlace(err error) error {
	const hint = "name one with --history"
	kind := userdb.Usage
	if userfile.IsNoSpace(err) {
		kind = userdb.NoSpace
	}
	return &userdb.Error{Op: "find a place for the history", Kind: kind,
		Err: fmt.Errorf("%w: %w", scanlog.ErrUnwritable, err), Hint: hint}
}

// Forget takes users out of the history on this machine and of the one in the bucket, where there are any.
func (h *History) Forget(
	ctx context.Context,
	files migrate.Files,
	scratch userfile.Scratch,
	users []string,
) error {
	if len(users) == 0 {
		return nil
	}
	forget := func(past *scanlog.History) error { return past.Forget(ctx, users) }
	path, err := h.path()
	if err == nil {
		_, err = os.Stat(path)
	}
	switch {
	case err == nil:
		err = fileMemory{path, h.Scope}.update(ctx, forget)
	case h.File == "" || errors.Is(err, os.ErrNotExist):
		err = nil // no history is kept here
	}
	m := &bucketMemory{files: files, scratch: scratch, scope: h.Scope, key: h.key()}
	_, inR2 := files.Head(ctx, m.key)
	if userdb.KindOf(inR2) == userdb.NotFound {
		return err
	}
	if inR2 == nil {
		inR2 = m.update(ctx, forget)
	}
	return errors.Join(err, inR2)
}

// key is where the bucket has the history.
func (h *History) key() userdb.ObjectKey {
	return userdb.ObjectKey(userdb.ReservedPrefix + "history/" + scopeDigest(h.Scope) + ".sqlite")
}

// path is the file that was named, or one in the folder, which it makes.
func (h *History) path() (string, error) {
	if h.File != "" {
		return h.File, nil
	}
	dir, err := h.Dir()
	if err != nil {
		return "", err
	}
	return filepath.Join(
			dir,
			fileNamePart(h.Scope.Bucket)+"-"+scopeDigest(h.Scope)+".sqlite",
		), os.MkdirAll(
			dir,
			0o700,
		)
}

func scopeDigest(s scanlog.Scope) string {
	sum := sha256.Sum256([]byte(s.Endpoint + "\x00" + s.Bucket + "\x00" + s.Layout))
	return hex.EncodeToString(sum[:6])
}

// fileNamePart keeps what a bucket's name may hold and nothing else.
func fileNamePart(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == '.' {
			return r
		}
		return '_'
	}, s)
}

// fileMemory is a history on this machine.
type fileMemory struct {
	path  string
	scope scanlog.Scope
}

func (m fileMemory) update(ctx context.Context, do func(*scanlog.History) error) error {
	h, err := scanlog.Open(ctx, m.path, m.scope)
	if err != nil {
		return err
	}
	return errors.Join(do(h), h.Close())
}

// bucketMemory is a history in the bucket. It is changed by compare and set: what another machine wrote
// meanwhile is read again.
type bucketMemory struct {
	files   migrate.Files
	scratch userfile.Scratch
	scope   scanlog.Scope
	key     userdb.ObjectKey
}

func (m *bucketMemory) update(ctx context.Context, do func(*scanlog.History) error) error {
	const tries = 8
	var err error
	for range tries {
		err = m.once(ctx, func(h *scanlog.History) (bool, error) { return true, do(h) })
		if userdb.KindOf(err) != userdb.Precondition {
			return err
		}
	}
	return err
}

// once fetches the history, lets do work on it and, if do says so, puts it back.
func (m *bucketMemory) once(ctx context.Context, do func(*scanlog.History) (bool, error)) error {
	base, err := m.scratch.Path()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(base, "dbmigrate-history-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "history.sqlite")
	condition, err := m.fetch(ctx, path)
	if err != nil {
		return userfile.NoSpace(err, base, "")
	}
	put := false
	err = fileMemory{path, m.scope}.update(ctx, func(h *scanlog.History) (err error) {
		put, err = do(h)
		return err
	})
	if err != nil {
		return strayed(err, path, string(m.key))
	}
	if !put {
		return nil
	}
	return m.put(ctx, path, condition)
}

func (m *bucketMemory) put(ctx context.Context, path string, condition userdb.PutOptions) error {
	content, err := os.Open(path)
	if err != nil {
		return err
	}
	defer content.Close()
	info, err := content.Stat()
	if err != nil {
		return err
	}
	_, err = m.files.Put(ctx, m.key, content, info.Size(), condition)
	return err
}

func (m *bucketMemory) fetch(ctx context.Context, path string) (condition userdb.PutOptions, err error) {
	condition.ContentType = "application/vnd.sqlite3"
	content, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return condition, err
	}
	defer func() { err = errors.Join(err, content.Close()) }()
	object, err := m.files.Get(ctx, m.key, "", content)
	switch {
	case userdb.KindOf(err) == userdb.NotFound:
		condition.IfNoneMatch = true
		return condition, content.Truncate(0) // an empty file begins a history
	case err != nil:
		return condition, err
	}
	condition.IfMatch = object.ETag
	return condition, nil
}

// strayed names the object instead of its copy in an error.
func strayed(err error, path, key string) error {
	var e *userdb.Error
	if !errors.As(err, &e) || e.Thing != path {
		return err
	}
	named := *e
	named.Thing, named.Hint = key, "move the object away to begin a new history"
	if errors.Is(err, scanlog.ErrUnwritable) { // the copy's disk
		named.Hint = userfile.NoSpaceHint(filepath.Dir(filepath.Dir(path)), "")
	}
	return &named
}

// crossingWithin is "next month".
const crossingWithin = 30 * units.Day

// trend is what the history says about the whole bucket.
type trend struct {
	points   []scanlog.Point
	perWeek  float64
	known    bool
	crossing int // users who will cross the threshold within crossingWithin
}

// takeAll takes the users that the scan found, without a past.
func (r *Report) takeAll(found *spill.Sorter[line], o *Options) error {
	r.trend = trend{}
	if err := r.begin(o); err != nil {
		return err
	}
	return found.Each(func(l line) error { return r.take(l.whole(), o) })
}

// remember records this scan, reads from the history what concerns the users that it found, and takes them. A
// history that cannot be written costs what only it knows, and not the scan.
func (r *Report) remember(ctx context.Context, found *spill.Sorter[line], o *Options) error {
	if o.Past == nil {
		return r.takeAll(found, o)
	}
	err := r.rememberIn(ctx, found, o)
	if !errors.Is(err, scanlog.ErrUnwritable) || o.Consistent > 1 {
		return err
	}
	o.Out.Warn(notKept, err)
	err = r.takeAll(found, o)
	r.Totals.HistoryUnwritten = true
	return err
}

func (r *Report) rememberIn(ctx context.Context, found *spill.Sorter[line], o *Options) error {
	sizes := func(yield func(string, int64) error) error {
		return found.Each(func(l line) error {
			if l.Place != inspect.PlaceFile {
				return nil
			}
			return yield(string(l.User.User), l.Bytes)
		})
	}
	window := scanlog.Window{Apart: apart, Back: back}
	return o.Past.update(ctx, func(h *scanlog.History) error {
		if err := h.Record(ctx, scanlog.Scan{Run: o.Run, At: r.At, Prefix: o.Prefix}, sizes); err != nil {
			return err
		}
		r.trend = trend{}
		if err := r.begin(o); err != nil {
			return err
		}
		if err := r.recall(ctx, h, window, found, o); err != nil {
			return err
		}
		total, err := h.Total(ctx, window)
		r.trend.points = total.Points
		r.trend.perWeek, r.trend.known = total.PerWeek()
		return err
	})
}

// recall walks through users and their trends side by side: both are in the order of names.
func (r *Report) recall(
	ctx context.Context,
	h *scanlog.History,
	window scanlog.Window,
	found *spill.Sorter[line],
	o *Options,
) error {
	var reading, taking error
	next, stop := iter.Pull(func(yield func(User) bool) {
		reading = found.Each(func(l line) error {
			if !yield(l.whole()) {
				return errStopped
			}
			return nil
		})
	})
	defer stop()
	user, more := next()
	take := func() {
		taking = cmp.Or(taking, r.take(user, o))
		user, more = next()
	}
	err := h.Trends(ctx, window, func(name string, t scanlog.Trend) {
		for more && taking == nil && string(user.User) < name {
			take()
		}
		if more && taking == nil && string(user.User) == name {
			user.follow(t, o.Threshold)
			take()
		}
	})
	for more && err == nil && taking == nil {
		take()
	}
	return cmp.Or(err, taking, reading)
}

var errStopped = errors.New("nobody reads on")

// follow notes what the history says about one user.
func (l *User) follow(t scanlog.Trend, threshold int64) {
	l.over = t.Over(threshold)
	l.GrowthPerWeek, l.CrossesInDays = nil, nil
	if perWeek, known := t.PerWeek(); known {
		l.GrowthPerWeek = rounded(perWeek, 1)
	}
	if after, crosses := t.Crosses(threshold, crossingWithin); crosses && l.Place == inspect.PlaceFile {
		l.CrossesInDays = rounded(after.Hours()/24, 10)
	}
}

// insist takes the recommendation back from users who were not over the threshold in each of the last n
// scans.
func (l *User) insist(n int, threshold int64) {
	if n > 1 && l.Advice == AdviceMigrate && l.over < n {
		l.Advice = AdviceNote
		l.Reason = fmt.Sprintf(
			"over %s in the last %s, not yet in %d",
			units.FormatSize(threshold),
			units.Plural(max(l.over, 1), "scan"),
			n,
		)
	}
}

func (t *trend) sentence(threshold int64) string {
	if !t.known {
		return ""
	}
	first, last := t.points[0], t.points[len(t.points)-1]
	return fmt.Sprintf(
		"growth: %s a week, over %d scans in %s; %s will cross %s within 30 days at their current growth rate",
		units.FormatGrowth(
			t.perWeek,
		),
		len(t.points),
		units.FormatDuration(last.At.Sub(first.At)),
		units.Plural(t.crossing, "user"),
		units.FormatSize(threshold),
	)
}
