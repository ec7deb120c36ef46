package userfile

import (
	"context"
	"errors"
	"sync"

	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Beside finds a write-ahead log or a hot journal that lies beside the database in the bucket. What a log
// holds is not in the file, and what a hot journal would take back is. SQLite ignores objects that do not
// begin like these, and so does this.
func (s *Source) Beside(ctx context.Context, u userdb.UserID) ([]sqlitefile.Finding, error) {
	return s.BesideKey(ctx, s.Layout.Key(u))
}

// BesideKey is Beside of a database under any key, such as one that a restore takes.
func (s *Source) BesideKey(ctx context.Context, key userdb.ObjectKey) ([]sqlitefile.Finding, error) {
	suffixes := []string{sqlitefile.LogSuffix, sqlitefile.JournalSuffix}
	found := make([]*sqlitefile.Finding, len(suffixes))
	errs := make([]error, len(suffixes))
	var looks sync.WaitGroup
	for i, suffix := range suffixes {
		looks.Go(func() { found[i], errs[i] = s.besideAt(ctx, key+userdb.ObjectKey(suffix)) })
	}
	looks.Wait()
	var list []sqlitefile.Finding
	for _, finding := range found {
		if finding != nil {
			list = append(list, *finding)
		}
	}
	return list, errors.Join(errs...)
}

func (s *Source) besideAt(ctx context.Context, key userdb.ObjectKey) (*sqlitefile.Finding, error) {
	object, err := s.Files.Head(ctx, key)
	if userdb.KindOf(err) == userdb.NotFound || err == nil && object.Size < sqlitefile.BesideBytes {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	head, _, err := s.Files.GetRange(ctx, key, "", 0, sqlitefile.BesideBytes)
	if userdb.KindOf(err) == userdb.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return sqlitefile.Beside(string(key), head), nil
}

// RefuseBeside refuses by name a user with such an object beside the file.
func (s *Source) RefuseBeside(ctx context.Context, u userdb.UserID) error {
	list, err := s.Beside(ctx, u)
	if err != nil {
		return err
	}
	return About(u, sqlitefile.NewReport(list).Err())
}
