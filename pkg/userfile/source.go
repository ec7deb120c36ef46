package userfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Reader is what a look at a user's file needs of the bucket. It cannot write. Errors carry userdb kinds:
// NotFound for an absent object, Precondition for a version that is gone.
type Reader interface {
	Head(ctx context.Context, key userdb.ObjectKey) (userdb.Object, error)
	// Get writes the object to w. A non-empty ifMatch pins it: another version is a Precondition error.
	Get(ctx context.Context, key userdb.ObjectKey, ifMatch userdb.ETag, w io.Writer) (userdb.Object, error)
	// GetRange reads at most length bytes from offset; a shorter object gives fewer.
	GetRange(
		ctx context.Context,
		key userdb.ObjectKey,
		ifMatch userdb.ETag,
		offset, length int64,
	) ([]byte, userdb.Object, error)
}

// Source reads users' files. It changes none.
type Source struct {
	Files  Reader
	Layout userdb.Layout
	Limits wire.Limits
	// Scratch holds the copies; nil means the system's folder for temporary files.
	Scratch Scratch
	// Checks open users' files for the first time; nil: in this process, without a budget.
	Checks Checks
	// WritesWait says that the user's writes wait for what is read: no check of it queues behind others.
	WritesWait bool
	// Observe, when set, is told of each step.
	Observe func(result.Event)
	// Now is the operator's clock; time.Now when nil.
	Now func() time.Time
}

// Scratch is a private folder of the run.
type Scratch interface {
	Path() (string, error)
	Remove() error
}

// ScratchDir is where a spooled file goes.
func (s *Source) ScratchDir() (string, error) {
	if s.Scratch == nil {
		return os.TempDir(), nil
	}
	return s.Scratch.Path()
}

// newFile makes a new file in it.
func (s *Source) newFile() (*os.File, error) {
	dir, err := s.ScratchDir()
	if err != nil {
		return nil, err
	}
	return os.CreateTemp(dir, "dbmigrate-*.sqlite")
}

// NewPath names a scratch file that does not exist yet.
func (s *Source) NewPath() (string, error) {
	f, err := s.newFile()
	if err != nil {
		return "", s.NoSpace(fmt.Errorf("create export file: %w", err))
	}
	return f.Name(), errors.Join(f.Close(), os.Remove(f.Name()))
}

// FirstCheck is how files are opened for the first time.
func (s *Source) FirstCheck() Checks {
	if s.Checks == nil {
		return checksHere{}
	}
	return s.Checks
}

func (s *Source) now() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return time.Now()
}

func (s *Source) observe(ev result.Event) {
	if s.Observe != nil {
		s.Observe(ev)
	}
}

// Preflight checks everything about the file, every page and every row of it, before anything is claimed: a
// user who cannot be moved is refused while nothing has changed anywhere.
func (s *Source) Preflight(ctx context.Context, u userdb.UserID, file *Copy) error {
	begun := s.now()
	report, err := s.preflight(ctx, file)
	if err != nil {
		return err
	}
	s.observe(result.Event{User: u, Stage: result.StagePreflight, Took: s.now().Sub(begun)})
	if err := report.Err(); err != nil {
		return About(u, err)
	}
	file.Warnings = slices.DeleteFunc(
		report.Problems(),
		func(p sqlitefile.Problem) bool { return p.Object == "" },
	)
	return nil
}

// MayOpen refuses a file that nobody has checked and that takes too much to check. Other faults are for the
// caller to find.
func (s *Source) MayOpen(ctx context.Context, u userdb.UserID, file *Copy) error {
	report, err := s.preflight(ctx, file)
	if err != nil {
		return About(u, err)
	}
	if err := report.Err(); userdb.KindOf(err) == userdb.TooCostly {
		return About(u, err)
	}
	return nil
}

func (s *Source) preflight(ctx context.Context, file *Copy) (sqlitefile.Report, error) {
	if s.WritesWait {
		return s.FirstCheck().PreflightAhead(ctx, file.Path, s.Limits)
	}
	return s.FirstCheck().Preflight(ctx, file.Path, s.Limits)
}

// About names the user in an error that speaks of a scratch file.
func About(u userdb.UserID, err error) error {
	var e *userdb.Error
	if !errors.As(err, &e) {
		return err
	}
	named := *e
	named.Thing = string(u)
	return &named
}
