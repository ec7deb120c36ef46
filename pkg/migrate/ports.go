// Package migrate moves users between their SQLite file in R2 and their Durable Object, by the protocol of
// docs/cutover.md. It keeps no state of its own: each command derives everything from the two sides, so it
// can be killed anywhere and run again, on any machine, beside any other.
package migrate

import (
	"context"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Files is the bucket. Errors carry userdb kinds: NotFound for an absent object, Precondition for a lost
// condition.
type Files interface {
	userfile.Reader
	userfile.Putter
	// Delete has no condition: it is for what commands keep of users only. An absent object is no error.
	Delete(ctx context.Context, key userdb.ObjectKey) error
	// DeleteOnce is Delete by one request that is never sent again. It is for the tombstone of a user who is
	// being deleted: a repetition could hit what a new user has saved under the key.
	DeleteOnce(ctx context.Context, key userdb.ObjectKey) error
	// List pages through keys under prefix; with a delimiter, keys that share the part up to it come as
	// common prefixes.
	List(
		ctx context.Context,
		prefix, delimiter string,
		yield func(objects []userdb.Object, commonPrefixes []string) error,
	) error
}

// Flags is the KV namespace. Put and Delete work in bulk and return only when every key is written.
type Flags interface {
	// List yields the flags of the user ids that begin with prefix.
	List(ctx context.Context, prefix string, yield func([]userdb.Flag) error) error
	// Get looks up users' flags; users without one are absent from the answer.
	Get(ctx context.Context, users []userdb.UserID) (map[userdb.UserID]userdb.Flag, error)
	Put(ctx context.Context, flags []userdb.Flag) error
	Delete(ctx context.Context, users []userdb.UserID) error
}

// Stores are the users' Durable Objects, through the Worker's admin routes.
type Stores interface {
	Status(ctx context.Context, u userdb.UserID) (wire.Status, error)
	Claim(ctx context.Context, u userdb.UserID, req wire.ClaimRequest) (wire.Claimed, error)
	Reset(ctx context.Context, u userdb.UserID, g userdb.Claim) (wire.Status, error)
	Schema(ctx context.Context, u userdb.UserID, g userdb.Claim, s wire.Schema) (wire.Status, error)
	Rows(
		ctx context.Context,
		u userdb.UserID,
		g userdb.Claim,
		seq int64,
		batch []byte,
	) (wire.RowsAnswer, error)
	Finish(ctx context.Context, u userdb.UserID, g userdb.Claim, batches int64) error
	Digest(ctx context.Context, u userdb.UserID) (wire.DigestReport, error)
	// FreshDigest trusts nothing that was computed before: it sees changes that went past the Durable
	// Object's own code, too.
	FreshDigest(ctx context.Context, u userdb.UserID) (wire.DigestReport, error)
	Range(ctx context.Context, u userdb.UserID, req wire.RangeRequest) (wire.RangeDigest, error)
	Ready(
		ctx context.Context,
		u userdb.UserID,
		g userdb.Claim,
		d wire.DatabaseDigest,
		r wire.Receipt,
	) (wire.Status, error)
	Activate(ctx context.Context, u userdb.UserID, g userdb.Claim) (wire.Status, error)
	ExportSchema(ctx context.Context, u userdb.UserID) (wire.ExportSchema, error)
	ExportRows(ctx context.Context, u userdb.UserID, req wire.ExportRequest) (*wire.ExportPage, error)
	Release(ctx context.Context, u userdb.UserID, g userdb.Claim) (wire.Status, error)
	// Thaws are the rows of a split user that the application wants back in the file.
	Thaws(ctx context.Context, u userdb.UserID) ([]wire.Thaw, error)
	// Merge comes before the PUT of the whole file of a split user, under the fence.
	Merge(ctx context.Context, u userdb.UserID, g userdb.Claim) (wire.Status, error)
}

// Composites is the Worker where it takes several steps of a command in one request, each durable before the
// next (docs/cutover.md, "Composite requests"). After an error nobody knows how many of them it took.
type Composites interface {
	// Import is Claim, a look at the file, Schema, Rows, Finish and Digest.
	Import(ctx context.Context, u userdb.UserID, req wire.ImportRequest) (wire.Imported, error)
	// Switch is Mark, Ready and Activate, and R2's copy of the receipt.
	Switch(ctx context.Context, u userdb.UserID, req wire.SwitchRequest) (wire.Switched, error)
	// Return is Claim, FreshDigest, a PUT of the kept file from R2 to R2, and Release. An error that names
	// the step "look" came before the claim.
	Return(ctx context.Context, u userdb.UserID, req wire.BackRequest) (wire.Returned, error)
	// Export is Claim, FreshDigest, ExportSchema and ExportRows of every table. Errors are as of Return.
	Export(ctx context.Context, u userdb.UserID, req wire.BackRequest) (*wire.Exported, error)
}

// Snapshots reads what a small Durable Object holds in one request, and claims nothing.
type Snapshots interface {
	// ReadAll is FreshDigest, ExportSchema and ExportRows of every table, of one moment.
	ReadAll(ctx context.Context, u userdb.UserID) (*wire.Exported, error)
	// Follow is some rows, and what changed since the answer before, of one moment.
	Follow(ctx context.Context, u userdb.UserID, req wire.FollowRequest) (*wire.Followed, error)
}

// Marker is the Worker, which has the bucket at hand: it replaces a file by itself under a fence, and nothing
// travels.
type Marker interface {
	Mark(ctx context.Context, u userdb.UserID, req wire.MarkRequest) (userdb.ETag, error)
	// Fence fences the file as it is by then, which an operator far away from a busy user cannot.
	Fence(ctx context.Context, u userdb.UserID, req wire.FenceRequest) (wire.Fenced, error)
	// Names are those of what the object carries that S3 would not carry as it is, and which version it is.
	// NotFound: the Worker cannot tell.
	Names(ctx context.Context, u userdb.UserID) (wire.FileSeen, error)
}

// Turns say when a user with a database of that size may import, beside the others in flight. The caller
// gives the turn back with end.
type Turns interface {
	Import(ctx context.Context, bytes int64) (end func())
}
