package inspect

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/parallel"
	"golang.org/x/sync/errgroup"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Place is where a user's data is, as far as a scan can see without asking Durable Objects.
type Place string

// The places.
const (
	PlaceFile    Place = "file"    // the file is authoritative
	PlaceObject  Place = "object"  // fenced: the Durable Object serves, or a cutover is under way
	PlaceSplit   Place = "split"   // the file has the hot rows, the Durable Object the cold ones
	PlaceMissing Place = "missing" // a flag, but no object
	// PlaceUnnameable is a database with a key that has, in the place of the user, what can be no user's id.
	// No command can move it.
	PlaceUnnameable Place = "unnameable"
	// PlaceUnreadable is an object that R2 answers with nothing but an error. It is one user's failure, and
	// holds up nobody else.
	PlaceUnreadable Place = "unreadable"
)

// Found is one user that a scan found. Bytes is the size of the object.
type Found struct {
	User    userdb.UserID    `json:"user"`
	Key     userdb.ObjectKey `json:"key"`
	Bytes   int64            `json:"bytes"`
	ETag    userdb.ETag      `json:"etag"`
	Place   Place            `json:"servedBy"`
	Flagged bool             `json:"flagged"` // with the flag of one who is in the Durable Object as a whole
	Marked  bool             `json:"-"`       // the metadata speaks of a command that wrote the object
	Flag    userdb.FlagMeta  `json:"-"`
	Err     error            `json:"-"` // why the object is unreadable
}

// ScanOptions narrow a scan.
type ScanOptions struct {
	// Users are the only ones looked at; then nothing is listed. None means every user of the layout.
	Users []userdb.UserID
	// Prefix is what the user ids begin with.
	Prefix string
	// Only, when set, chooses the users to look at; nobody else is found. It is asked before anything is
	// requested for a user.
	Only func(userdb.UserID) bool
	// Marks asks for a HEAD of every file, so that Place says what the file says. Without it, a layout is
	// read without HEADs if its listing shows the files themselves, and Place follows the flag.
	Marks bool
	// WithoutFlags, when set, is told why the flags cannot be read, and the scan goes on without them: the
	// marks of the files decide. Users who have a flag and no fenced file are not found then.
	WithoutFlags func(error)
	// NoFlags reads none: the marks of the files decide. Many shards would otherwise each read the flags of
	// all users, for which the Cloudflare API allows too few calls.
	NoFlags bool
	// Elsewhere, when set, is told of objects that look like databases and are not where the layout has one,
	// one at a time: of those that the listing shows, and those in the first folders without a database.
	Elsewhere func(userdb.ObjectKey)
	// Progress, when set, is told how many users were found so far.
	Progress func(n int)

	firstAnswer func() // is told that KV answers
	metas       bool   // keep what the flags say
}

func (o ScanOptions) wants(u userdb.UserID) bool { return o.Only == nil || o.Only(u) }

// Scan finds every user of the layout, largest first. It only reads: a listing, and HEADs where the listing
// is not enough.
func (e *Inspector) Scan(ctx context.Context, opts ScanOptions) ([]Found, error) {
	var found []Found
	opts.metas = true
	err := e.ScanEach(ctx, opts, func(f Found) error {
		found = append(found, f)
		if opts.Progress != nil {
			opts.Progress(len(found))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(found, func(a, b Found) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.User, b.User))
	})
	return found, nil
}

// ScanEach is Scan for fleets of any size: it yields each user once, one at a time, in no order, without
// Flag, and keeps of a fleet no more than the names that have flags. An error may come after users were
// yielded.
func (e *Inspector) ScanEach(ctx context.Context, opts ScanOptions, yield func(Found) error) error {
	whole, split, read, err := e.readFlags(ctx, opts)
	if err != nil {
		return err
	}
	opts.Marks = opts.Marks || !read
	s := &scanner{Inspector: e, opts: opts, flags: whole, split: split, yield: yield}
	if len(opts.Users) > 0 {
		err = s.headAll(ctx, opts.Users)
	} else {
		err = s.list(ctx)
	}
	if err == nil {
		err = s.sick.Most()
	}
	if err == nil {
		err = s.addMissing(whole, true)
	}
	if err == nil {
		err = s.addMissing(split, false)
	}
	return err
}

// addMissing yields who has a flag of the kind and no file.
func (s *scanner) addMissing(book *flagBook, whole bool) error {
	for i := range book.flags {
		f := &book.flags[i]
		if f.met || !s.opts.wants(f.user) {
			continue
		}
		if whole {
			s.split.meet(f.user)
		}
		missing := Found{User: f.user, Key: s.Layout.Key(f.user), Place: PlaceMissing, Flagged: whole, Flag: f.metaOrNone()}
		if err := s.yield(missing); err != nil {
			return err
		}
	}
	return nil
}

// flagPatience is how long the first answer of KV may take before a command that can do without flags goes on
// without them.
const flagPatience = 20 * time.Second

// readFlags reads the flags of both kinds. read is false when they cannot be read and opts say that the
// command does without.
func (e *Inspector) readFlags(ctx context.Context, opts ScanOptions) (whole, split *flagBook, read bool, err error) {
	if opts.NoFlags {
		return &flagBook{}, &flagBook{}, false, nil
	}
	waits := ctx
	if opts.WithoutFlags != nil {
		var stop context.CancelCauseFunc
		waits, stop = context.WithCancelCause(ctx)
		defer stop(nil)
		over := time.AfterFunc(flagPatience, func() { stop(context.DeadlineExceeded) })
		defer over.Stop()
		opts.firstAnswer = func() { over.Stop() }
	}
	whole, err = readBook(waits, e.Flags, opts)
	if err == nil {
		split, err = readBook(waits, e.SplitFlags, opts)
	}
	switch {
	case err == nil:
		return whole, split, true, nil
	case opts.WithoutFlags == nil || ctx.Err() != nil:
		return nil, nil, false, err
	}
	opts.WithoutFlags(err)
	return &flagBook{}, &flagBook{}, false, nil
}

type scanner struct {
	*Inspector
	opts         ScanOptions
	flags, split *flagBook

	sick  Sick
	mu    sync.Mutex // held for yield, Elsewhere, and for the books' met
	peeks atomic.Int64
	yield func(Found) error
}

// headsAtOnce keeps the listing's pages and the HEADs that follow side by side.
const headsAtOnce = 32

func (s *scanner) list(ctx context.Context) error {
	prefix, delimiter, plain := s.Layout.ListPlan()
	looks, ctx := errgroup.WithContext(ctx)
	looks.SetLimit(headsAtOnce)
	var last userdb.UserID // a listing may give a folder again on the next page
	err := s.Files.List(
		ctx,
		prefix+s.opts.Prefix,
		delimiter,
		func(objects []userdb.Object, folders []string) error {
			var heads []userdb.UserID
			for _, o := range objects {
				u, ok := s.Layout.UserOf(o.Key)
				switch {
				case !ok:
					heads = s.noteUnnameable(heads, string(o.Key))
					s.noteElsewhere(o.Key)
				case !s.opts.wants(u) || u == last:
				case plain && !s.opts.Marks:
					last = u
					if err := s.add(u, o, s.flagPlace(u)); err != nil {
						return err
					}
				default:
					last = u
					heads = append(heads, u)
				}
			}
			for _, folder := range folders {
				u, ok := s.Layout.UserOfFolder(folder)
				switch {
				case !ok:
					heads = s.noteUnnameable(heads, folder)
					if s.Layout.Unnameable(folder) == "" {
						looks.Go(func() error { return s.peek(ctx, folder) })
					}
				case s.opts.wants(u) && u != last:
					last = u
					heads = append(heads, u)
				}
			}
			for _, u := range heads { // while the next page is on its way
				looks.Go(func() error {
					if err := ctx.Err(); err != nil {
						return err
					}
					return s.head(ctx, u)
				})
			}
			return context.Cause(ctx)
		},
	)
	return cmp.Or(looks.Wait(), err)
}

// noteUnnameable keeps what cannot be a user from being passed over in silence.
func (s *scanner) noteUnnameable(heads []userdb.UserID, keyOrFolder string) []userdb.UserID {
	if name := s.Layout.Unnameable(keyOrFolder); name != "" {
		heads = append(heads, userdb.UserID(name))
	}
	return heads
}

func (s *scanner) flagPlace(u userdb.UserID) Place {
	if s.flags.find(u) != nil {
		return PlaceObject
	}
	return s.splitPlace(u, userdb.Object{})
}

// splitPlace is the place of one who is not in the Durable Object as a whole. The object's metadata may have
// been dropped, and a flag may lag.
func (s *scanner) splitPlace(u userdb.UserID, o userdb.Object) Place {
	if s.split.find(u) != nil || userdb.MetadataHotOf(o.Metadata) != 0 {
		return PlaceSplit
	}
	return PlaceFile
}

func (s *scanner) headAll(ctx context.Context, users []userdb.UserID) error {
	return parallel.Each(ctx, len(users), headsAtOnce, func(ctx context.Context, i int) error { return s.head(ctx, users[i]) })
}

func (s *scanner) head(ctx context.Context, u userdb.UserID) error {
	obj, err := s.Files.Head(ctx, s.Layout.Key(u))
	if userdb.KindOf(err) == userdb.NotFound {
		// a folder without a database: videos only, or a layout that is another one
		return cmp.Or(s.sick.Saw(nil), s.peek(ctx, s.Layout.Folder(u)))
	}
	if stop := s.sick.Saw(err); stop != nil {
		return stop
	}
	if err != nil {
		return s.addUnreadable(u, err)
	}
	place := s.splitPlace(u, obj)
	if userdb.MetadataFenced(obj.Metadata) {
		place = PlaceObject
	}
	if _, err := userdb.ParseUserID(string(u)); err != nil {
		place = PlaceUnnameable
	}
	return s.add(u, obj, place)
}

func (s *scanner) addUnreadable(u userdb.UserID, err error) error {
	return s.found(Found{User: u, Key: s.Layout.Key(u), Place: PlaceUnreadable, Err: err})
}

func (s *scanner) add(u userdb.UserID, obj userdb.Object, place Place) error {
	return s.found(Found{
		User:   u,
		Key:    obj.Key,
		Bytes:  obj.Size,
		ETag:   obj.ETag,
		Place:  place,
		Marked: userdb.MetadataMarked(obj.Metadata),
	})
}

// found completes one user with the flags, and yields it.
func (s *scanner) found(f Found) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	whole, split := s.flags.meet(f.User), s.split.meet(f.User)
	f.Flagged, f.Flag = whole != nil, whole.metaOrNone()
	if f.Place == PlaceSplit {
		f.Flag = split.metaOrNone()
	}
	return s.yield(f)
}
