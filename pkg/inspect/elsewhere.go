package inspect

import (
	"context"
	"errors"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// mostPeeks bounds how many folders without a database a scan looks into, one listing request each.
const mostPeeks = 100

var errFirstPage = errors.New("the first page is enough")

// peek looks into a folder without a database. Nothing is decided by what it finds, or does not.
func (s *scanner) peek(ctx context.Context, folder string) error {
	if s.opts.Elsewhere == nil || folder == "" || userdb.Reserved(folder) || s.peeks.Add(1) > mostPeeks {
		return nil
	}
	_ = s.Files.List(ctx, folder, "", func(objects []userdb.Object, _ []string) error {
		for _, o := range objects {
			s.noteElsewhere(o.Key)
		}
		return errFirstPage
	})
	return ctx.Err()
}

// noteElsewhere tells of an object that looks like a database, and is no user's.
func (s *scanner) noteElsewhere(key userdb.ObjectKey) {
	if s.opts.Elsewhere == nil || !s.Layout.Resembles(key) {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opts.Elsewhere(key)
}
