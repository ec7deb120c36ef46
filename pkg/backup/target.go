// Package backup keeps copies of users' databases, in a folder or under a prefix of the bucket, and finds
// them again.
package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// InBucket begins a place in the bucket; anything else is one on this machine.
const InBucket = "r2:"

// Suffix is that of a user's copy.
const Suffix = ".sqlite"

// metadataDigest names, in the metadata of a copy in R2, the database digest by which it was proved.
const metadataDigest = "dbmigrate-digest"

// Target is where copies go. A copy is there whole, or it is not there.
type Target struct {
	folder string // on this machine; "" for the bucket
	prefix string // in the bucket
	files  migrate.Files

	mu   sync.Mutex
	made map[userdb.UserID]string // the digests of this run
}

// CheckTarget refuses a --to that cannot be one, before anything is asked of a server.
func CheckTarget(to string) error {
	prefix, inBucket := strings.CutPrefix(to, InBucket)
	switch {
	case to == "":
		return userdb.UsageError("read --to", "", "it is missing", "say --to FOLDER, or --to r2:PREFIX/")
	case inBucket && (prefix == "" || !strings.HasSuffix(prefix, "/")):
		return userdb.UsageError("read --to", to, "a prefix of the bucket ends with a slash", "say r2:backups/2026-11-29/")
	case inBucket && userdb.Reserved(prefix):
		return userdb.UsageError("read --to", to, "dbmigrate keeps its own records there", "choose another prefix")
	case inBucket:
		return nil
	}
	if info, err := os.Stat(to); err == nil && !info.IsDir() {
		return userdb.UsageError("read --to", to, "it is a file", "name a folder, or one that is to be made")
	}
	return nil
}

// NewTarget makes the folder where it is not there. A prefix must not lead to a place where the layout would
// find users.
func NewTarget(to string, files migrate.Files, layout userdb.Layout) (*Target, error) {
	t := &Target{files: files, made: map[userdb.UserID]string{}}
	prefix, inBucket := strings.CutPrefix(to, InBucket)
	if !inBucket {
		t.folder = to
		return t, os.MkdirAll(to, 0o700)
	}
	t.prefix = prefix
	if _, isUser := layout.UserOf(t.key("user")); isUser {
		return nil, userdb.UsageError("read --to", to, "the copies would be databases of users, by the layout "+layout.String(),
			"choose another prefix")
	}
	return t, nil
}

func (t *Target) key(u userdb.UserID) userdb.ObjectKey {
	return userdb.ObjectKey(t.prefix + string(u) + Suffix)
}

// Path is a user's copy in the folder.
func (t *Target) path(u userdb.UserID) string { return filepath.Join(t.folder, string(u)+Suffix) }

func (t *Target) place(u userdb.UserID) string {
	if t.folder != "" {
		return t.path(u)
	}
	return InBucket + string(t.key(u))
}

// Job backs a user up who has no copy there yet, so that the same command again goes on.
func (t *Target) Job(e *migrate.Engine) func(context.Context, userdb.UserID) result.Result {
	return func(ctx context.Context, u userdb.UserID) result.Result {
		r := result.Result{User: u, Action: result.ActionBackup, SavedTo: t.place(u)}
		bytes, there, err := t.has(ctx, u)
		if err != nil {
			return r.End(0, err)
		}
		if there {
			r.Outcome, r.Bytes = result.OutcomeAlready, bytes
			return r.End(0, nil)
		}
		var other *kept
		made := e.Backup(ctx, u, func(ctx context.Context, file *userfile.Copy, digest string) (where string, err error) {
			other, err = t.keep(ctx, u, file, digest)
			return t.place(u), err
		})
		if made.Err() == nil && other != nil {
			r.Outcome, r.Bytes, r.Digest = result.OutcomeAlready, other.bytes, other.digest
			r.AddReason("another backup to the same place was faster")
			return r.End(0, nil)
		}
		return made
	}
}

// kept is a copy of another run. The digest is "" where it is not known.
type kept struct {
	bytes  int64
	digest string
}

func (t *Target) has(ctx context.Context, u userdb.UserID) (bytes int64, there bool, err error) {
	if t.folder != "" {
		info, err := os.Stat(t.path(u))
		if errors.Is(err, os.ErrNotExist) {
			return 0, false, nil
		}
		if err != nil {
			return 0, false, err
		}
		return info.Size(), true, nil
	}
	object, err := t.files.Head(ctx, t.key(u))
	if userdb.KindOf(err) == userdb.NotFound {
		return 0, false, nil
	}
	return object.Size, err == nil, err
}

// keep writes the copy, unless another run did so since this one looked: a copy of another moment is as good,
// and is not to be compared with ours.
func (t *Target) keep(ctx context.Context, u userdb.UserID, file *userfile.Copy, digest string) (other *kept, err error) {
	there, err := t.write(ctx, u, file, digest)
	if there && err == nil {
		other, err = t.keptThere(ctx, u, digest)
	}
	if err != nil {
		return nil, fmt.Errorf("keep the copy of %s: %w", u, err)
	}
	if other == nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.made[u] = digest
	}
	return other, nil
}

// keptThere is nil where the copy is our own: its PUT took effect, and the answer was lost.
func (t *Target) keptThere(ctx context.Context, u userdb.UserID, digest string) (*kept, error) {
	if t.folder != "" {
		bytes, _, err := t.has(ctx, u)
		return &kept{bytes: bytes}, err
	}
	object, err := t.files.Head(ctx, t.key(u))
	if err != nil || digest != "" && object.Metadata[metadataDigest] == digest {
		return nil, err
	}
	return &kept{object.Size, object.Metadata[metadataDigest]}, nil
}

// write says whether a copy was there already.
func (t *Target) write(ctx context.Context, u userdb.UserID, file *userfile.Copy, digest string) (there bool, err error) {
	if t.folder != "" {
		return writeWhole(t.path(u), file.WriteUnmarked)
	}
	opts := userdb.PutOptions{IfNoneMatch: true, ContentType: userfile.ContentType}
	if digest != "" {
		opts.Metadata = map[string]string{metadataDigest: digest}
	}
	err = file.PutUnmarkedAt(ctx, t.files, t.key(u), opts)
	if userdb.KindOf(err) == userdb.Precondition {
		return true, nil
	}
	return false, err
}

// writeWhole makes the file appear with all its bytes, unless there is one.
func writeWhole(path string, write func(io.Writer) error) (there bool, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".dbmigrate-*.part")
	if err != nil {
		return false, err
	}
	defer os.Remove(f.Name())
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return false, err
	}
	err = os.Link(f.Name(), path)
	switch {
	case errors.Is(err, os.ErrExist):
		return true, nil
	case err != nil: // not every file system knows links
		return false, os.Rename(f.Name(), path)
	}
	return false, nil
}

// Check reads a copy of this run again, and compares it with what was proved: the gate of a wave.
func (t *Target) Check(ctx context.Context, e *migrate.Engine, u userdb.UserID) result.Result {
	r := result.Result{User: u, Action: result.ActionVerify, Outcome: result.OutcomeEqual}
	t.mu.Lock()
	want := t.made[u]
	t.mu.Unlock()
	if want == "" {
		return r
	}
	got, err := t.digest(ctx, e, u)
	if err == nil && got != want {
		err = &userdb.Error{Op: "check the copy of", Thing: string(u), Kind: userdb.Mismatch,
			Err: errors.New(t.place(u) + " has another content than was written"), Hint: "check the disk; remove the copy and back up again"}
	}
	return r.End(0, err)
}

func (t *Target) digest(ctx context.Context, e *migrate.Engine, u userdb.UserID) (string, error) {
	file, err := Source{From: t.place(u)}.open(ctx, e)
	if err != nil {
		return "", err
	}
	defer os.Remove(file)
	db, err := sqlitefile.Open(ctx, file)
	if err != nil {
		return "", err
	}
	digest, err := db.Digest(ctx)
	return digest.Database, errors.Join(err, db.Close())
}
