package selection

import (
	"context"
	"errors"
	"slices"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Lister lists a bucket.
type Lister interface {
	List(ctx context.Context, prefix, delimiter string, yield func([]userdb.Object, []string) error) error
}

var errEnough = errors.New("enough")

// EachNamed lists users by their files or folders alone, without asking for any of them.
func EachNamed(
	ctx context.Context,
	files Lister,
	layout userdb.Layout,
	prefix string,
	yield func([]userdb.UserID) error,
) error {
	root, delimiter, _ := layout.ListPlan()
	return files.List(ctx, root+prefix, delimiter, func(objects []userdb.Object, folders []string) error {
		var page []userdb.UserID
		for _, o := range objects {
			if u, ok := layout.UserOf(o.Key); ok {
				page = append(page, u)
			}
		}
		for _, folder := range folders {
			if u, ok := layout.UserOfFolder(folder); ok {
				page = append(page, u)
			}
		}
		return yield(page)
	})
}

// Named are users with an id that begins with a prefix, at most so many, by a listing that ends with them.
func Named(ctx context.Context, files Lister, layout userdb.Layout, prefix string, most int) ([]userdb.UserID, error) {
	var users []userdb.UserID
	err := EachNamed(ctx, files, layout, prefix, func(page []userdb.UserID) error {
		if users = append(users, page...); len(users) >= most {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	slices.Sort(users)
	users = slices.Compact(users)
	return users[:min(len(users), most)], err
}
