// Package inspect looks at users: where they are, whether both sides agree, what a rollback would do. Its
// ports only read, so that it changes nothing is checked by the compiler.
package inspect

import (
	"context"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Files is the bucket, for reading.
type Files interface {
	userfile.Reader
	// List pages through keys under prefix; with a delimiter, keys that share the part up to it come as
	// common prefixes.
	List(
		ctx context.Context,
		prefix, delimiter string,
		yield func(objects []userdb.Object, commonPrefixes []string) error,
	) error
}

// Flags is the KV namespace, for reading.
type Flags interface {
	// List yields the flags of the user ids that begin with prefix.
	List(ctx context.Context, prefix string, yield func([]userdb.Flag) error) error
	// Get looks up users' flags; users without one are absent from the answer.
	Get(ctx context.Context, users []userdb.UserID) (map[userdb.UserID]userdb.Flag, error)
}

// Stores are the users' Durable Objects, for reading. No message of theirs carries a claim or changes a
// phase.
type Stores interface {
	Status(ctx context.Context, u userdb.UserID) (wire.Status, error)
	Digest(ctx context.Context, u userdb.UserID) (wire.DigestReport, error)
	// FreshDigest trusts nothing that was computed before: it sees changes that went past the Durable
	// Object's own code, too.
	FreshDigest(ctx context.Context, u userdb.UserID) (wire.DigestReport, error)
	Range(ctx context.Context, u userdb.UserID, req wire.RangeRequest) (wire.RangeDigest, error)
	ExportSchema(ctx context.Context, u userdb.UserID) (wire.ExportSchema, error)
	ExportRows(ctx context.Context, u userdb.UserID, req wire.ExportRequest) (*wire.ExportPage, error)
}

// Inspector looks at users. Its ports have no method that writes, so it cannot change anything.
type Inspector struct {
	Files      Files
	Flags      Flags
	SplitFlags Flags // of split users; nil has none
	Stores     Stores
	Layout     userdb.Layout
	Bucket     string // as receipts name it
	Limits     wire.Limits
	Scratch    userfile.Scratch // nil: the system's folder for temporary files
	Checks     userfile.Checks  // nil: in this process, without a budget
	Observe    func(result.Event)
	Now        func() time.Time // nil: time.Now
}

// Clock is what time it is.
func (i *Inspector) Clock() time.Time {
	if i.Now != nil {
		return i.Now()
	}
	return time.Now()
}

func (i *Inspector) Source() *userfile.Source {
	return &userfile.Source{
		Files:   i.Files,
		Layout:  i.Layout,
		Limits:  i.Limits,
		Scratch: i.Scratch,
		Checks:  i.Checks,
		Observe: i.Observe,
		Now:     i.Now,
	}
}

func (i *Inspector) Sides() *userfile.Sides {
	return &userfile.Sides{Source: i.Source(), Objects: i.Stores, Bucket: i.Bucket}
}

func (i *Inspector) look(ctx context.Context, u userdb.UserID) (userfile.Version, error) {
	return i.Source().Look(ctx, u)
}

func (i *Inspector) download(ctx context.Context, u userdb.UserID) (*userfile.Copy, error) {
	return i.Source().Fetch(ctx, u)
}
