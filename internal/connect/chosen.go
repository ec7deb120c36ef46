package connect

import (
	"context"
	"io"
	"path/filepath"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/parallel"
	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Chosen are the users of a command, and the connection that found them.
type Chosen struct {
	*Connection
	Set   *selection.Set
	Users []inspect.Found
}

// Choose connects, and finds the users that were chosen. Need gets their shards from them.
func (s *Source) Choose(
	ctx context.Context,
	o *selection.Options,
	args []string,
	stdin io.Reader,
	n Need,
) (*Chosen, error) {
	set, err := o.Parse(args, stdin)
	if err != nil {
		return nil, err
	}
	n.Shards = set.Shards()
	var found func() ([]inspect.Found, error)
	n.Meanwhile = func(e *migrate.Engine, _ config.Config) {
		found = parallel.Ahead(func() ([]inspect.Found, error) { return set.Resolve(ctx, e.Inspect()) })
	}
	c, err := s.All(ctx, n)
	if err != nil {
		return nil, err
	}
	users, err := found()
	if err == nil {
		err = set.RefuseNobody(len(users))
	}
	return &Chosen{c, set, users}, err
}

// Records is where run records are looked for.
func (s *Source) Records(c config.Config) (*record.Place, error) {
	if err := need(c, config.R2); err != nil {
		return nil, err
	}
	files, err := R2(c, s.Traffic)
	if err != nil {
		return nil, err
	}
	dir := ""
	if state, err := record.StateDir(s.Getenv); err == nil {
		dir = filepath.Join(state, fleet.RecordFolder)
	}
	return &record.Place{Files: files, Dir: dir, Bucket: c.Bucket, Now: time.Now}, nil
}

// ForeignMark asks Durable Objects, where a Worker is configured.
func (s *Source) ForeignMark(
	e *migrate.Engine,
	c config.Config,
) func(context.Context, userdb.UserID) (*inspect.ForeignMark, error) {
	worker, err := Worker(c, s.Version, s.Traffic)
	if err != nil {
		return nil
	}
	e.Stores = worker
	return e.Inspect().ForeignMark
}

// Bucket is the bucket alone, for what has to be known before the users are.
func (s *Source) Bucket() (migrate.Files, error) {
	c, err := s.Config()
	if err == nil {
		err = need(c, config.R2)
	}
	if err != nil {
		return nil, err
	}
	return R2(c, s.Traffic)
}
