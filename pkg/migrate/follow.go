package migrate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/verify"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

const (
	// followPageBytes is about how much one request reads. A large object is read in about followPages
	// requests, up to followMostBytes each.
	followPageBytes = 64 << 10
	followMostBytes = 256 << 10
	followPages     = 512
	// A user who wrote nothing for followRest is at rest.
	followRest = 10 * time.Second
	// The pause between two requests is writePause while the application writes, if the engine says nothing
	// else. So one or two writes in a thousand meet a request where it writes one after the other: fewer than
	// a p99 can show. For a user at rest it is followRestShare times as long as the request before took, up
	// to followRestLongest, since most of that time may have been the network.
	writePause        = 2 * time.Second
	followRestShare   = 20
	followRestLongest = 200 * time.Millisecond
	followPause       = 25 * time.Millisecond
	// A pause is shorter where more than this would change in it: followLog of what the object's log holds,
	// which is leastLog writes where the Worker does not say it. An answer holds 5,000 rows, or 8 MiB.
	followLog     = 0.4
	leastLog      = 1000
	followRows    = 2000
	followChanged = 2 << 20
	// Nor is it followGrowth times as long as the one before.
	followGrowth = 8
	// followTries bounds how often a copy begins again because something changed that cannot be named.
	followTries = 3
	// followRereads bounds how often one table is read again because nobody can name which of its rows
	// changed.
	followRereads = 5
	// Long pauses end after followPatience times as many requests as the object takes.
	followPatience = 2
	// A copy is then given up after followMore requests for each larger page that the object had, and
	// followLeast for the rest: the application writes more than is read between its writes. A user who rests
	// takes about two a page, and a few more where all is small numbers, which are longer on the way.
	followMore  = 16
	followLeast = 256
)

// errCannotFollow says that the user cannot be copied while the application writes: by this Worker, or
// because of what it writes.
var errCannotFollow = errors.New("the object cannot name what the application changes")

// errNeedsQuiet says more: to begin again does not help.
var errNeedsQuiet = fmt.Errorf("%w by row", errCannotFollow)

// outrun is errNeedsQuiet of a user who writes faster than the copy is read.
type outrun int

func (o outrun) Error() string {
	return fmt.Sprintf("the application writes faster than it can be read: given up after %d requests", int(o))
}

// Is says what it is one of.
func (outrun) Is(target error) bool { return target == errCannotFollow || target == errNeedsQuiet }

// byFollowing copies the Durable Object in small requests. Each answer has what changed since the one
// before, so the copy is the object of the last answer's moment, however much the application writes.
func (b *backup) byFollowing(ctx context.Context, st wire.Status) error {
	for try := 1; ; try++ {
		file, digest, err := b.follow(ctx, st)
		if err == nil {
			defer file.Remove()
			return b.save(ctx, file, digest)
		}
		if !errors.Is(err, errCannotFollow) || errors.Is(err, errNeedsQuiet) || try == followTries {
			return err
		}
	}
}

func (b *backup) follow(ctx context.Context, st wire.Status) (*userfile.Copy, *wire.DatabaseDigest, error) {
	begun := b.now()
	path, err := b.source().NewPath()
	if err != nil {
		return nil, nil, err
	}
	f := &follower{backup: b, begun: st, tables: map[string]*followed{}}
	if err := f.copyTo(ctx, path); err != nil {
		return nil, nil, err
	}
	file := &userfile.Copy{Path: path}
	err = file.Describe(b.Layout.Key(b.user))
	var digest wire.DatabaseDigest
	if err == nil {
		digest, err = file.Digest(ctx)
	}
	if err != nil {
		file.Remove()
		return nil, nil, err
	}
	b.observe(result.Event{User: b.user, Stage: result.StageExport, Bytes: file.Size, Took: b.now().Sub(begun)})
	return file, &digest, nil
}

// follower makes one copy.
type follower struct {
	*backup
	begun  wire.Status // before the copy
	into   *sqlitefile.Builder
	at     *wire.Followed // the last answer
	schema wire.Schema    // at the beginning
	alone  bool           // nobody else needs the object's log
	tables map[string]*followed
	order  []*followed
	asked  int           // requests
	took   time.Duration // by the last request
	beside time.Duration // the longest pause beside what the application writes
	wrote  time.Time     // when the application was last seen to have written
	asks   time.Time     // when the last request began
	wholes bool          // the Worker sends whole tables at the end
}

// followed is a table on the way.
type followed struct {
	name    string
	after   wire.Key // the last row that was read, or compared
	read    bool     // all rows came; the next step is to compare them
	checked bool
	ahead   bool // rows came behind after, because they changed
	rereads int
	rows    int64 // that followPageBytes hold at most: as many are compared at once, or a multiple
	aside   bool  // its changes are not named: it comes whole with the last answer
}

// copyTo makes the file at path, or none.
func (f *follower) copyTo(ctx context.Context, path string) (err error) {
	defer func() {
		if f.into != nil && err != nil {
			err = errors.Join(err, f.into.Abort())
		}
		if f.alone {
			f.end(ctx)
		}
	}()
	if err := f.begin(ctx, path); err != nil {
		return err
	}
	for done := false; !done; {
		if f.asked++; f.asked > f.mostAsked() {
			return outrun(f.asked)
		}
		var err error
		if done, err = f.step(ctx); err != nil {
			return err
		}
		if err := f.pause(ctx); err != nil {
			return err
		}
	}
	return finishWithin(ctx, f.user, f.into, finishTime(f.begun.DatabaseBytes))
}

// end lets the object forget its log. It would do so by itself in an hour.
func (f *follower) end(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, _ = f.Snapshots.Follow(ctx, f.user, wire.FollowRequest{Since: &f.at.Writes, End: true})
}

func (f *follower) pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(f.untilNext()):
		return nil
	}
}

// untilNext is never shorter than the request before, so that a busy object has half of its time at least.
func (f *follower) untilNext() time.Duration {
	pause := min(followRestShare*f.took, followRestLongest)
	if f.besideWrites() {
		pause = f.beside
	}
	return max(f.took, pause, followPause)
}

// besideWrites says that requests are to be seldom. That ends where writes are about to outrun the copy.
func (f *follower) besideWrites() bool {
	return f.now().Sub(f.wrote) < followRest && f.asked < followPatience*f.leastPages()
}

// wroteSince takes down what the application wrote between two requests, and how long the next pause may be.
func (f *follower) wroteSince(before, now *wire.Followed, between time.Duration) {
	if now.Writes == before.Writes {
		return
	}
	f.wrote = f.now()
	log := now.Log
	if log == 0 {
		log = leastLog
	}
	rows, bytes, full := 0, 0, float64(now.Writes-before.Writes)/(followLog*float64(log))
	for _, c := range now.Changes {
		rows += len(c.Keys)
		switch t := f.tables[c.Table]; {
		case c.Page != nil:
			bytes += len(c.Page.Cells) + len(c.Page.Reals)
		case t != nil && !t.aside: // too many rows to name
			full = max(full, 2)
		}
	}
	full = max(full, float64(rows)/followRows, float64(bytes)/followChanged)
	longest := f.WritePause
	if longest == 0 {
		longest = writePause
	}
	f.beside = min(longest, time.Duration(float64(between)*min(followGrowth, 1/full)))
}

// pageBytes is about how much one request reads.
func (f *follower) pageBytes() int64 {
	return min(max(followPageBytes, f.begun.DatabaseBytes/followPages), followMostBytes)
}

// leastPages is how many requests read the object as it was, and again to compare.
func (f *follower) leastPages() int {
	return 2*(1+int(f.begun.DatabaseBytes/f.pageBytes())) + 4*len(f.order)
}

// pageRows is how many rows of a table the next request compares.
func (f *follower) pageRows(t *followed) int64 {
	return max(t.rows, 1) * f.pageBytes() / followPageBytes
}

// note takes down how many rows a page had for its size. The Worker ends a digest where rows are longer.
func (t *followed) note(page *wire.ExportPage) {
	bytes := max(int64(len(page.Cells)+len(page.Reals)), 1)
	t.rows = max(t.rows, page.Rows*followPageBytes/bytes)
}

// mostAsked is after how many requests the copy is given up.
func (f *follower) mostAsked() int {
	pages := 1 + int(f.begun.DatabaseBytes/f.pageBytes())
	return followPatience*f.leastPages() + followMore*pages + 8*len(f.order) + followLeast
}

func (f *follower) begin(ctx context.Context, path string) error {
	at, err := f.Snapshots.Follow(ctx, f.user, wire.FollowRequest{})
	if err != nil {
		return err
	}
	f.at, f.alone, f.wholes, f.asks = at, at.Began, at.Virtual, f.now()
	if at.Gen != f.begun.Gen {
		return errMoved
	}
	f.schema = at.Schema.Schema
	if f.into, err = sqlitefile.Create(path, f.schema); err != nil {
		return err
	}
	if !f.into.Follows() {
		return fmt.Errorf("%w: the database is not UTF-8", errCannotFollow)
	}
	for _, name := range at.Tables {
		t := &followed{name: name, checked: counts(name)}
		if at.Virtual && ofSQLite(name) {
			t.putAside()
		}
		f.tables[name], f.order = t, append(f.order, t)
	}
	return nil
}

// counts says of SQLite's own counter that SQLite changes it while rows come, so that it cannot be compared.
func counts(table string) bool { return table == "sqlite_sequence" }

// ofSQLite says of a table that its changes are in no log.
func ofSQLite(table string) bool { return strings.HasPrefix(table, "sqlite_") }

// putAside leaves a table to the last answer.
func (t *followed) putAside() { t.aside, t.read, t.checked = true, true, true }

// next is a table that is not done, those to read before those to compare.
func (f *follower) next() *followed {
	var next *followed
	for _, t := range f.order {
		if !t.read {
			return t
		}
		if !t.checked && next == nil {
			next = t
		}
	}
	return next
}

// step asks for the next rows of a table, or for their digest, and takes in what changed before. The last
// step is that for which no table is left.
func (f *follower) step(ctx context.Context) (done bool, err error) {
	t := f.next()
	if t == nil {
		return f.last(ctx)
	}
	var req wire.FollowRequest
	if t.read {
		req.Check = &wire.FollowCheck{Table: t.name, After: t.after, Limit: f.pageRows(t)}
	} else {
		req.Read = &wire.ExportRequest{Table: t.name, After: t.after, MaxBytes: f.pageBytes()}
	}
	rereads, wasRead := t.rereads, t.read
	if err := f.ask(ctx, req); err != nil {
		return false, err
	}
	switch {
	case t.aside || t.rereads != rereads: // what was asked for began behind rows that are gone from the copy
		return false, nil
	case req.Check != nil:
		return false, f.compare(t, req.Check, f.at.Check)
	case t.read && !wasRead: // it came whole
		return false, nil
	}
	t.note(f.at.Read)
	return false, f.add(t, f.at.Read)
}

// ask sends a request, and takes in what changed since the answer before.
func (f *follower) ask(ctx context.Context, req wire.FollowRequest) error {
	before, begun := f.at, f.now()
	req.Since, req.Virtual = &before.Writes, true
	at, err := f.Snapshots.Follow(ctx, f.user, req)
	if err != nil {
		return err
	}
	f.took = f.now().Sub(begun)
	f.wroteSince(before, at, begun.Sub(f.asks))
	f.asks = begun
	if at.Gen != before.Gen || at.Lin != before.Lin || at.Revision != before.Revision {
		return errMoved
	}
	if at.Lost {
		return errCannotFollow
	}
	f.at = at
	for _, c := range at.Changes {
		if err := f.change(c); err != nil {
			return err
		}
	}
	return nil
}

// last takes the tables that were put aside whole, all of one moment with what changed in the others. The
// writes wait for that answer. done is false where another table has to be read, or was put aside just now.
func (f *follower) last(ctx context.Context) (done bool, err error) {
	if !f.wholes {
		return true, nil
	}
	whole := f.aside()
	if err := f.ask(ctx, wire.FollowRequest{Whole: whole}); err != nil {
		return false, err
	}
	if f.next() != nil || len(f.aside()) > len(whole) {
		return false, nil
	}
	if f.at.Schema == nil || !reflect.DeepEqual(f.at.Schema.Schema.Virtual, f.schema.Virtual) {
		return false, fmt.Errorf("%w: the options of a full-text table changed", errCannotFollow)
	}
	for i, name := range whole {
		switch t := f.tables[name]; {
		case i >= len(f.at.Wholes) || f.at.Wholes[i] == nil:
			return false, fmt.Errorf("%w: the rows of table %s are more than 8 MiB, and writes would wait for them",
				errNeedsQuiet, verify.TableName(name))
		case !counts(name):
			t.after = nil
			if err := f.compare(t, &wire.FollowCheck{Limit: math.MaxInt64}, f.at.Wholes[i]); err != nil {
				return false, err
			}
		}
	}
	return true, nil
}

// aside names the tables that come with the last answer.
func (f *follower) aside() []string {
	names := []string{}
	for _, t := range f.order {
		if t.aside {
			names = append(names, t.name)
		}
	}
	return names
}

// change brings the rows of a table that changed up to the moment of the answer.
func (f *follower) change(c wire.FollowedChange) error {
	t := f.tables[c.Table]
	if t == nil {
		return fmt.Errorf("%w: %s", errCannotFollow, verify.TableName(c.Table))
	}
	switch {
	case c.Keys == nil && c.Page == nil && f.wholes && (t.aside || f.isVirtual(c.Table)):
		t.putAside()
		return nil
	case c.Keys == nil:
		return f.replace(t, c.Page)
	}
	in, err := f.into.Into(c.Table, c.Page.Columns)
	if err != nil {
		return err
	}
	for _, key := range c.Keys {
		if err := in.Remove(key); err != nil {
			return err
		}
	}
	t.ahead = t.ahead || !t.read
	return c.Page.Each(in.Put)
}

func (f *follower) isVirtual(table string) bool {
	return slices.ContainsFunc(f.schema.Virtual, func(v wire.Virtual) bool { return v.Name == table })
}

// replace takes a table whole, or reads it again from its first row.
func (f *follower) replace(t *followed, whole *wire.ExportPage) error {
	if err := f.into.Empty(t.name); err != nil {
		return err
	}
	t.after, t.ahead = nil, false
	if whole != nil {
		in, err := f.into.Into(t.name, whole.Columns)
		if err != nil {
			return err
		}
		t.read = true
		t.note(whole)
		return whole.Each(in.Put)
	}
	t.read, t.checked = false, counts(t.name)
	if t.rereads++; t.rereads > followRereads {
		return fmt.Errorf("%w: too many rows of table %s changed at a time, again and again",
			errCannotFollow, verify.TableName(t.name))
	}
	return nil
}

func (f *follower) add(t *followed, page *wire.ExportPage) error {
	in, err := f.into.Into(t.name, page.Columns)
	if err != nil {
		return err
	}
	err = page.Each(func(row []wire.Value) error {
		if t.ahead {
			if err := in.RemoveRow(row); err != nil {
				return err
			}
		}
		return in.Put(row)
	})
	if err != nil {
		return err
	}
	if t.after = page.Last; page.Done {
		t.read, t.after = true, nil
	}
	return nil
}

// compare holds a range of the copy against the object, both of the same moment.
func (f *follower) compare(t *followed, asked *wire.FollowCheck, object *wire.RangeDigest) error {
	if object.Rows < asked.Limit && !object.More {
		object.Last = nil // the range ends with the table
	}
	copied, err := f.rangeOf(t, sqlitefile.Range{After: asked.After, Upto: object.Last})
	if err != nil {
		return err
	}
	if copied.Rows != object.Rows || copied.Rows > 0 && copied.Digest != object.Digest {
		return &userdb.Error{Op: "compare the copy of", Thing: string(f.user), Kind: userdb.Mismatch,
			Err: fmt.Errorf("table %s: %d rows of the copy are not the %d of the Durable Object",
				verify.TableName(t.name), copied.Rows, object.Rows),
			Hint: "nothing was changed; run the command again, and report it"}
	}
	t.after, t.checked = object.Last, object.Last == nil
	return nil
}

func (f *follower) rangeOf(t *followed, r sqlitefile.Range) (wire.RangeDigest, error) {
	in := f.into.Again(t.name)
	if in == nil {
		return wire.RangeDigest{}, nil
	}
	return in.RangeDigest(r)
}

// noFollowing says whether another way is left: the Worker is of before, or cannot say what changes.
func noFollowing(err error) bool {
	var remote *wire.RemoteError
	return errors.Is(err, errCannotFollow) ||
		errors.As(err, &remote) && remote.Kind == wire.KindNotFound
}
