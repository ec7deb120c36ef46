package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Source is one SQLite file that a user gets: a path of this machine, or r2:KEY.
type Source struct{ From string }

// suffixes are those of SQLite files in a folder, the one that backups have first.
var suffixes = []string{Suffix, ".db", ".sqlite3"}

// open copies the file into the run's own folder: what is checked there is what is sent. A log or a journal
// beside it holds what the file alone does not.
func (s Source) open(ctx context.Context, e *migrate.Engine) (path string, err error) {
	if err := s.beside(ctx, e); err != nil {
		return "", err
	}
	path, err = e.ScratchPath()
	if err != nil {
		return "", err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	err = errors.Join(s.copyTo(ctx, e, f), f.Close())
	if err != nil {
		os.Remove(path)
	}
	return path, err
}

func (s Source) copyTo(ctx context.Context, e *migrate.Engine, w io.Writer) error {
	if key, inBucket := strings.CutPrefix(s.From, InBucket); inBucket {
		_, err := e.Files.Get(ctx, userdb.ObjectKey(key), "", w)
		return err
	}
	f, err := os.Open(s.From)
	if err != nil {
		return &userdb.Error{Op: "read", Thing: s.From, Kind: userdb.NotFound, Err: err, Hint: "check --from"}
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

func (s Source) beside(ctx context.Context, e *migrate.Engine) error {
	if key, inBucket := strings.CutPrefix(s.From, InBucket); inBucket {
		found, err := e.Inspect().Source().BesideKey(ctx, userdb.ObjectKey(key))
		if err != nil {
			return err
		}
		return sqlitefile.NewReport(found).Err()
	}
	for _, suffix := range []string{sqlitefile.LogSuffix, sqlitefile.JournalSuffix} {
		head, err := headOf(s.From + suffix)
		if err != nil {
			return err
		}
		if found := sqlitefile.Beside(s.From+suffix, head); found != nil {
			return sqlitefile.NewReport([]sqlitefile.Finding{*found}).Err()
		}
	}
	return nil
}

func headOf(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, sqlitefile.BesideBytes))
}

// Sources are the files of several users.
type Sources struct {
	of map[userdb.UserID]Source
	// Users are those who have one, in the order of their ids.
	Users []userdb.UserID
}

// Of is a user's file.
func (s *Sources) Of(u userdb.UserID) (Source, bool) {
	source, ok := s.of[u]
	return source, ok
}

// Find finds the files under from: one file for one user, or a folder (or r2:PREFIX/) with one for each.
// No users means everybody who has one there.
func Find(ctx context.Context, from string, users []userdb.UserID, files func() (migrate.Files, error)) (*Sources, error) {
	s := &Sources{of: map[userdb.UserID]Source{}}
	var err error
	prefix, inBucket := strings.CutPrefix(from, InBucket)
	switch {
	case from == "":
		err = userdb.UsageError("restore requires --from", "", "", "pass --from FILE, --from FOLDER or --from r2:KEY")
	case inBucket && strings.HasSuffix(prefix, "/"):
		err = s.listBucket(ctx, prefix, files)
	case inBucket:
		err = s.one(from, users)
	default:
		err = s.listFolder(from, users)
	}
	if err != nil {
		return nil, err
	}
	if len(users) > 0 {
		for _, u := range users {
			if _, ok := s.of[u]; !ok {
				return nil, userdb.UsageError("find the file of", string(u), "there is none under "+from, "a file is named USER"+Suffix)
			}
		}
		s.Users = users
		return s, nil
	}
	for u := range s.of {
		s.Users = append(s.Users, u)
	}
	slices.Sort(s.Users)
	if len(s.Users) == 0 {
		return nil, userdb.UsageError("find files", from, "no file there is named after a user", "a file is named USER"+Suffix)
	}
	return s, nil
}

func (s *Sources) one(from string, users []userdb.UserID) error {
	if len(users) != 1 {
		return userdb.UsageError("read --from", from, "it is one file, and a file is for one user", "name one user, or give a folder with a file for each")
	}
	s.of[users[0]] = Source{from}
	return nil
}

func (s *Sources) listFolder(from string, users []userdb.UserID) error {
	info, err := os.Stat(from)
	if err != nil {
		return userdb.UsageError("read --from", from, err.Error(), "")
	}
	if !info.IsDir() {
		return s.one(from, users)
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return userdb.UsageError("read --from", from, err.Error(), "")
	}
	for _, entry := range entries {
		name := entry.Name()
		if entry.IsDir() {
			inner := filepath.Join(from, name, "database.sqlite")
			if info, err := os.Stat(inner); err == nil && !info.IsDir() {
				err = s.add(name, inner)
				if err != nil {
					return err
				}
			}
			continue
		}
		if err := s.addNamed(name, filepath.Join(from, name)); err != nil {
			return err
		}
	}
	return nil
}

// addNamed leaves out what is no database by its name, as logs and files that are not whole.
func (s *Sources) addNamed(name, place string) error {
	for _, suffix := range suffixes {
		if user, ok := strings.CutSuffix(name, suffix); ok {
			return s.add(user, place)
		}
	}
	return nil
}

func (s *Sources) add(user, place string) error {
	u, err := userdb.ParseUserID(user)
	if err != nil {
		return nil // it names no user
	}
	if other, twice := s.of[u]; twice {
		return userdb.UsageError("read --from", place, fmt.Sprintf("user %s has two files there, and %s is the other", u, other.From), "keep one of them")
	}
	s.of[u] = Source{place}
	return nil
}

func (s *Sources) listBucket(ctx context.Context, prefix string, files func() (migrate.Files, error)) error {
	bucket, err := files()
	if err != nil {
		return err
	}
	return bucket.List(ctx, prefix, "/", func(objects []userdb.Object, _ []string) error {
		for _, object := range objects {
			if err := s.addNamed(strings.TrimPrefix(string(object.Key), prefix), InBucket+string(object.Key)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Job gives a user the file that belongs to that user.
func (s *Sources) Job(e *migrate.Engine, o migrate.RestoreOptions) func(context.Context, userdb.UserID) result.Result {
	return func(ctx context.Context, u userdb.UserID) result.Result {
		path, err := s.Fetch(ctx, e, u)
		if err != nil {
			r := result.Result{User: u, Action: result.ActionRestore}
			return r.End(0, err)
		}
		defer os.Remove(path)
		return e.Restore(ctx, u, path, o)
	}
}

// Fetch copies a user's file into the run's own folder. The caller removes it.
func (s *Sources) Fetch(ctx context.Context, e *migrate.Engine, u userdb.UserID) (path string, err error) {
	return s.of[u].open(ctx, e)
}
