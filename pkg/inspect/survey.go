package inspect

import (
	"context"
	"errors"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// FlaggedUser is a user who has a flag.
type FlaggedUser struct {
	User   userdb.UserID
	Meta   userdb.FlagMeta
	Listed bool // the bucket lists something of the user's
	Split  bool // the flag is that of a split user
}

// Survey yields what the flags and a listing of the bucket say of everybody who has a flag, without a request
// for any single user, in the order of the keys of their databases. Both are hints: a flag lags, and a
// listing does not tell a fenced file from another one. unflagged is how many users of the listing have no
// flag; in the default layout a folder counts, whatever is in it.
//
// It costs one call of the API for a thousand flags, and one listing request for a thousand users.
func (e *Inspector) Survey(
	ctx context.Context,
	prefix string,
	yield func(FlaggedUser) error,
) (unflagged int, err error) {
	ctx, end := context.WithCancel(ctx)
	defer end()
	flagKey := func(f userdb.Flag) string { return string(e.Layout.Key(f.User)) }
	whole := &reader[userdb.Flag]{from: e.flagStream(ctx, e.Flags, prefix), key: flagKey, what: "flags"}
	split := &reader[userdb.Flag]{from: e.flagStream(ctx, e.SplitFlags, prefix), key: flagKey, what: "flags"}
	listed := &reader[userdb.UserID]{
		from: e.listedStream(ctx, prefix),
		key:  func(u userdb.UserID) string { return string(e.Layout.Key(u)) },
		what: "the bucket",
	}
	if err := errors.Join(whole.read(), split.read(), listed.read()); err != nil {
		return 0, err
	}
	for whole.more || split.more || listed.more {
		at, f := "", FlaggedUser{}
		for _, head := range []struct {
			more bool
			at   string
		}{{whole.more, whole.at}, {split.more, split.at}, {listed.more, listed.at}} {
			if head.more && (at == "" || head.at < at) {
				at = head.at
			}
		}
		flagged := false
		if split.more && split.at == at {
			flagged, f.User, f.Meta, f.Split = true, split.head.User, split.head.Meta, true
			err = split.read()
		}
		if whole.more && whole.at == at { // of two flags, that of the whole user counts
			flagged, f.User, f.Meta, f.Split = true, whole.head.User, whole.head.Meta, false
			err = errors.Join(err, whole.read())
		}
		if listed.more && listed.at == at {
			f.Listed = true
			err = errors.Join(err, listed.read())
		}
		switch {
		case err != nil:
			return unflagged, err
		case !flagged:
			unflagged++
		default:
			if err := yield(f); err != nil {
				return unflagged, err
			}
		}
	}
	return unflagged, nil
}

// eachListed names the users with a file or a folder in the listing, page by page.
func (e *Inspector) eachListed(
	ctx context.Context,
	userPrefix string,
	yield func([]userdb.UserID) error,
) error {
	prefix, delimiter, _ := e.Layout.ListPlan()
	return e.Files.List(
		ctx,
		prefix+userPrefix,
		delimiter,
		func(objects []userdb.Object, folders []string) error {
			var page []userdb.UserID
			for _, o := range objects {
				if u, ok := e.Layout.UserOf(o.Key); ok {
					page = append(page, u)
				}
			}
			for _, folder := range folders {
				if u, ok := e.Layout.UserOfFolder(folder); ok {
					page = append(page, u)
				}
			}
			return yield(page)
		},
	)
}
