package inspect

import (
	"cmp"
	"context"
	"slices"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// flagBook are the flags of one kind, by user. It is an array and no map: a million of them take a third of
// the memory.
type flagBook struct{ flags []bookedFlag }

type bookedFlag struct {
	user userdb.UserID
	meta *userdb.FlagMeta // nil: not kept
	met  bool             // the bucket has something of the user's
}

// metaOrNone is what the flag says, as far as it was kept.
func (f *bookedFlag) metaOrNone() userdb.FlagMeta {
	if f == nil || f.meta == nil {
		return userdb.FlagMeta{}
	}
	return *f.meta
}

// readBook reads the flags of one kind; nil has none.
func readBook(ctx context.Context, kind Flags, opts ScanOptions) (*flagBook, error) {
	book := &flagBook{}
	if kind == nil {
		return book, nil
	}
	add := func(f userdb.Flag) {
		booked := bookedFlag{user: f.User}
		if meta := f.Meta; opts.metas {
			booked.meta = &meta
		}
		book.flags = append(book.flags, booked)
	}
	if len(opts.Users) > 0 {
		found, err := kind.Get(ctx, opts.Users)
		for u, f := range found {
			add(userdb.Flag{User: u, Meta: f.Meta})
		}
		book.sort()
		return book, err
	}
	err := kind.List(ctx, opts.Prefix, func(page []userdb.Flag) error {
		if opts.firstAnswer != nil {
			opts.firstAnswer()
		}
		for _, f := range page {
			add(f)
		}
		return nil
	})
	book.sort()
	return book, err
}

// sort makes find possible. Of two flags of one user the last one counts.
func (b *flagBook) sort() {
	slices.SortStableFunc(b.flags, func(x, y bookedFlag) int { return cmp.Compare(x.user, y.user) })
	kept := b.flags[:0]
	for _, f := range b.flags {
		if n := len(kept); n > 0 && kept[n-1].user == f.user {
			kept[n-1] = f
			continue
		}
		kept = append(kept, f)
	}
	b.flags = kept
}

// find is the user's flag; nil: there is none.
func (b *flagBook) find(u userdb.UserID) *bookedFlag {
	at, found := slices.BinarySearchFunc(b.flags, u, func(f bookedFlag, u userdb.UserID) int {
		return cmp.Compare(f.user, u)
	})
	if !found {
		return nil
	}
	return &b.flags[at]
}

// meet is find, and notes that the user has something in the bucket.
func (b *flagBook) meet(u userdb.UserID) *bookedFlag {
	f := b.find(u)
	if f != nil {
		f.met = true
	}
	return f
}
