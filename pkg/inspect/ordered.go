package inspect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Flags and listings come in the order of their keys, page by page. Two of them are compared side by side as
// they come, so that memory does not grow with the fleet.

// stream is something of many users, in the order of the keys of their databases.
type stream[T any] struct {
	pages <-chan []T
	err   func() error // after the last page
	page  []T
}

// next is false after the last one.
func (s *stream[T]) next() (one T, ok bool, err error) {
	for len(s.page) == 0 {
		page, more := <-s.pages
		if !more {
			return one, false, s.err()
		}
		s.page = page
	}
	one, s.page = s.page[0], s.page[1:]
	return one, true, nil
}

// errNobodyReads ends a listing when its reader has failed.
var errNobodyReads = errors.New("nobody reads on")

// streamOf begins to read pages, one ahead of its reader. It ends with ctx.
func streamOf[T any](ctx context.Context, read func(yield func([]T) error) error) *stream[T] {
	pages, failed := make(chan []T, 1), error(nil)
	s := &stream[T]{pages: pages, err: func() error { return failed }}
	go func() {
		defer close(pages)
		failed = read(func(page []T) error {
			select {
			case pages <- page:
				return nil
			case <-ctx.Done():
				return errNobodyReads
			}
		})
	}()
	return s
}

// inKeyOrder sorts what comes in the order of user ids by the keys of the users' databases. These orders
// differ only where one id begins with another: "ann" comes before "ann-b", and "ann/" behind "ann-b/". So
// what has to wait are ids that each begin with the one before.
type inKeyOrder[T any] struct {
	layout  userdb.Layout
	user    func(T) userdb.UserID
	waiting []T
}

func (o *inKeyOrder[T]) key(one T) string { return string(o.layout.Key(o.user(one))) }

// add takes the next one, and returns those that nothing can come before any more.
func (o *inKeyOrder[T]) add(one T) (ready []T) {
	for n := len(o.waiting); n > 0 && o.key(o.waiting[n-1]) < o.key(one); n-- {
		ready = append(ready, o.waiting[n-1])
		o.waiting = o.waiting[:n-1]
	}
	o.waiting = append(o.waiting, one)
	return ready
}

// rest are those that wait, at the end.
func (o *inKeyOrder[T]) rest() []T {
	ready := slices.Clone(o.waiting)
	slices.Reverse(ready)
	return ready
}

// flagStream reads flags in the order of the keys of databases; nil has none.
func (e *Inspector) flagStream(ctx context.Context, kind Flags, prefix string) *stream[userdb.Flag] {
	order := &inKeyOrder[userdb.Flag]{
		layout: e.Layout,
		user:   func(f userdb.Flag) userdb.UserID { return f.User },
	}
	return streamOf(ctx, func(yield func([]userdb.Flag) error) error {
		if kind == nil {
			return nil
		}
		err := kind.List(ctx, prefix, func(flags []userdb.Flag) error {
			var page []userdb.Flag
			for _, f := range flags {
				page = append(page, order.add(f)...)
			}
			return yield(page)
		})
		if err != nil {
			return err
		}
		return yield(order.rest())
	})
}

// listedStream reads the users of a listing, in the order of the keys of their databases.
func (e *Inspector) listedStream(ctx context.Context, prefix string) *stream[userdb.UserID] {
	return streamOf(ctx, func(yield func([]userdb.UserID) error) error {
		return e.eachListed(ctx, prefix, func(page []userdb.UserID) error {
			slices.SortFunc(page, func(a, b userdb.UserID) int {
				return strings.Compare(string(e.Layout.Key(a)), string(e.Layout.Key(b)))
			})
			return yield(page)
		})
	})
}

// reader is the head of a stream that has to be in order.
type reader[T any] struct {
	from *stream[T]
	key  func(T) string
	what string

	head T
	at   string
	more bool
}

// read goes on to the next one. The same one again is passed over.
func (r *reader[T]) read() error {
	for {
		before, begun := r.at, r.more
		one, more, err := r.from.next()
		if err != nil || !more {
			r.more = false
			return err
		}
		r.head, r.at, r.more = one, r.key(one), true
		switch {
		case !begun || before < r.at:
			return nil
		case before > r.at:
			return &userdb.Error{Op: "list", Thing: r.what, Kind: userdb.ProtocolError,
				Err: fmt.Errorf("%q came behind %q: the listing is not in the order of its keys", r.at, before)}
		}
	}
}
