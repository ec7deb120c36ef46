package inspect

import (
	"context"
	"maps"
	"slices"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Survey is what the flags and a listing of the bucket say of everybody, without a request for any single
// user. Both are hints: a flag lags, and a listing does not tell a fenced file from another one.
type Survey struct {
	Flagged   []FlaggedUser // by user id
	Unflagged int           // users of the listing without a flag; in the default layout a folder counts, whatever is in it
}

// FlaggedUser is a user who has a flag.
type FlaggedUser struct {
	User   userdb.UserID
	Meta   userdb.FlagMeta
	Listed bool // the bucket lists something of the user's
	Split  bool // the flag is that of a split user
}

// Survey costs one call of the API for a thousand flags, and one listing request for a thousand users.
func (e *Inspector) Survey(ctx context.Context, prefix string) (Survey, error) {
	flags, split, _, err := e.readFlags(ctx, ScanOptions{Prefix: prefix})
	if err != nil {
		return Survey{}, err
	}
	for u := range flags {
		delete(split, u)
	}
	maps.Copy(flags, split)
	var s Survey
	listed := map[userdb.UserID]bool{}
	err = e.eachListed(ctx, prefix, func(u userdb.UserID) {
		if _, flagged := flags[u]; flagged {
			listed[u] = true
		} else {
			s.Unflagged++
		}
	})
	if err != nil {
		return Survey{}, err
	}
	for _, u := range slices.Sorted(maps.Keys(flags)) {
		_, isSplit := split[u]
		s.Flagged = append(s.Flagged, FlaggedUser{User: u, Meta: flags[u], Listed: listed[u], Split: isSplit})
	}
	return s, nil
}

// eachListed names the users with a file or a folder in the listing.
func (e *Inspector) eachListed(ctx context.Context, userPrefix string, yield func(userdb.UserID)) error {
	prefix, delimiter, _ := e.Layout.ListPlan()
	return e.Files.List(
		ctx,
		prefix+userPrefix,
		delimiter,
		func(objects []userdb.Object, folders []string) error {
			for _, o := range objects {
				if u, ok := e.Layout.UserOf(o.Key); ok {
					yield(u)
				}
			}
			for _, folder := range folders {
				if u, ok := e.Layout.UserOfFolder(folder); ok {
					yield(u)
				}
			}
			return nil
		},
	)
}
