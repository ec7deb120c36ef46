// Package backup keeps copies of users' databases, in a folder or under a prefix of the bucket, and finds
// them again.
package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
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

// What the metadata of a copy in R2 tells: the database digest by which it was proved, where there is one,
// and the SHA-256 of its bytes.
const (
	metadataDigest = "dbmigrate-digest"
	metadataSHA    = "dbmigrate-sha256"
)

// proof is what a copy has to be when it is read again. Either may be "".
type proof struct{ digest, sha string }

// Target is where copies go. A copy is there whole, or it is not there.
type Target struct {
	folder string // on this machine; "" for the bucket
	prefix string // in the bucket
	files  migrate.Files

	mu   sync.Mutex
	made map[userdb.UserID]proof // of this run
}

// CheckTarget refuses a --to that cannot be one, before anything is asked of a server.
func CheckTarget(to string) error {
	prefix, inBucket := strings.CutPrefix(to, InBucket)
	switch {
	case to == "":
		return userdb.UsageError("backup requires --to", "", "", "pass --to FOLDER, or --to r2:PREFIX/")
	case inBucket && (prefix == "" || !strings.HasSuffix(prefix, "/")):
		return userdb.UsageError("read --to", to, "a prefix of the bucket ends with a slash", "such as r2:backups/2026-11-29/")
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
	t := &Target{files: files, made: map[userdb.UserID]proof{}}
	prefix, inBucket := strings.CutPrefix(to, InBucket)
	if !inBucket {
		t.folder = to
		return t, ofFolder(os.MkdirAll(to, 0o700), to)
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
			return 0, false, ofFolder(err, t.folder)
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
	ours := proof{digest, file.SHA}
	there, err := t.write(ctx, u, file, ours)
	if there && err == nil {
		other, err = t.keptThere(ctx, u, ours)
	}
	if err != nil {
		return nil, fmt.Errorf("keep the copy of %s: %w", u, err)
	}
	if other == nil {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.made[u] = ours
	}
	return other, nil
}

// keptThere is nil where the copy is our own: its PUT took effect, and the answer was lost.
func (t *Target) keptThere(ctx context.Context, u userdb.UserID, ours proof) (*kept, error) {
	if t.folder != "" {
		bytes, _, err := t.has(ctx, u)
		return &kept{bytes: bytes}, err
	}
	object, err := t.files.Head(ctx, t.key(u))
	if err != nil || object.Metadata[metadataSHA] == ours.sha {
		return nil, err
	}
	return &kept{object.Size, object.Metadata[metadataDigest]}, nil
}

// write says whether a copy was there already.
func (t *Target) write(ctx context.Context, u userdb.UserID, file *userfile.Copy, ours proof) (there bool, err error) {
	if t.folder != "" {
		return writeWhole(t.path(u), file.WriteUnmarked)
	}
	opts := userdb.PutOptions{IfNoneMatch: true, ContentType: userfile.ContentType,
		Metadata: map[string]string{metadataSHA: ours.sha}}
	if ours.digest != "" {
		opts.Metadata[metadataDigest] = ours.digest
	}
	err = file.PutUnmarkedAt(ctx, t.files, t.key(u), opts)
	if userdb.KindOf(err) == userdb.Precondition {
		return true, nil
	}
	return false, err
}

// writeWhole makes the file appear with all its bytes, unless there is one.
func writeWhole(path string, write func(io.Writer) error) (there bool, err error) {
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, ".dbmigrate-*.part")
	if err != nil {
		return false, ofFolder(err, folder)
	}
	defer os.Remove(f.Name())
	if err := errors.Join(write(f), f.Sync(), f.Close()); err != nil {
		return false, ofFolder(err, folder)
	}
	return nameWhole(f.Name(), path, os.Link)
}

// ofFolder gives what the folder of the copies fails with its kind, and names the way out.
func ofFolder(err error, folder string) error {
	err = userfile.NoSpace(err, folder, "name a folder on a larger disk with --to, or r2:PREFIX/")
	var known *userdb.Error
	var path *fs.PathError
	if err == nil || errors.As(err, &known) || !errors.As(err, &path) {
		return err
	}
	// A folder that cannot be made may fail at one above it.
	if !strings.HasPrefix(path.Path, folder) && !strings.HasPrefix(folder, path.Path) {
		return err
	}
	return &userdb.Error{Op: "write to the folder", Thing: folder, Kind: userdb.Usage, Err: err,
		Hint: "name a folder that may be written with --to, or r2:PREFIX/; the same command goes on"}
}

// nameWhole gives a whole file its name, and never takes the name from another file. Not every file system
// knows links.
func nameWhole(from, to string, link func(from, to string) error) (there bool, err error) {
	err = link(from, to)
	if err != nil && !errors.Is(err, os.ErrExist) {
		without := renameToNew(from, to)
		if without == nil || errors.Is(without, os.ErrExist) {
			err = without
		}
	}
	if errors.Is(err, os.ErrExist) {
		return true, nil
	}
	if err != nil {
		err = &userdb.Error{Op: "name the copy", Thing: to, Kind: userdb.Usage, Err: err,
			Hint: "its file system has no names that are given once only: choose a folder on another one, or --to r2:PREFIX/"}
	}
	return false, err
}

// Check reads a user's copy again: the gate of a wave. It compares the copy with what was proved of it, by
// this run or, in the bucket, by the one that wrote it. Of another run's copy in a folder nothing is known
// but that it has to be a sound database.
func (t *Target) Check(ctx context.Context, e *migrate.Engine, u userdb.UserID) result.Result {
	r := result.Result{User: u, Action: result.ActionVerify, Outcome: result.OutcomeEqual}
	return r.End(0, t.check(ctx, e, u))
}

func (t *Target) check(ctx context.Context, e *migrate.Engine, u userdb.UserID) error {
	want, err := t.proofOf(ctx, u)
	if err != nil {
		return err
	}
	path, err := Source{From: t.place(u)}.open(ctx, e)
	if err != nil {
		return err
	}
	defer os.Remove(path)
	got, err := proofOfFile(ctx, e, path, want)
	if err == nil && got != want {
		err = errOtherContent
	}
	kind := userdb.KindOf(err)
	if kind != userdb.Damaged && kind != userdb.NotSQLite && !errors.Is(err, errOtherContent) {
		return err
	}
	return &userdb.Error{Op: "check the copy of", Thing: string(u), Kind: userdb.Mismatch,
		Err: fmt.Errorf("%s: %w", t.place(u), err), Hint: "check the disk; remove the copy and back up again"}
}

var errOtherContent = errors.New("it has another content than was written")

// proofOf is what is known of a copy.
func (t *Target) proofOf(ctx context.Context, u userdb.UserID) (proof, error) {
	t.mu.Lock()
	known, ours := t.made[u]
	t.mu.Unlock()
	if ours || t.folder != "" {
		return known, nil
	}
	object, err := t.files.Head(ctx, t.key(u))
	return proof{object.Metadata[metadataDigest], object.Metadata[metadataSHA]}, err
}

// proofOfFile has what the wanted proof has. Without one, the file is checked as one of unknown origin.
func proofOfFile(ctx context.Context, e *migrate.Engine, path string, want proof) (got proof, err error) {
	if want == (proof{}) {
		report, err := e.Inspect().Source().FirstCheck().Preflight(ctx, path, e.Limits)
		if err == nil {
			err = report.Err()
		}
		if userdb.KindOf(err) == userdb.Blocked { // sound, and no Durable Object could hold it
			err = nil
		}
		return got, err
	}
	if want.sha != "" {
		if got.sha, err = shaOf(path); err != nil || got.sha != want.sha {
			return got, err // bytes of unknown origin are not opened
		}
	}
	if want.digest != "" {
		got.digest, err = digestOf(ctx, path)
	}
	return got, err
}

func shaOf(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	_, err = io.Copy(sum, f)
	return hex.EncodeToString(sum.Sum(nil)), err
}

func digestOf(ctx context.Context, path string) (string, error) {
	db, err := sqlitefile.Open(ctx, path)
	if err != nil {
		return "", err
	}
	digest, err := db.Digest(ctx)
	return digest.Database, errors.Join(err, db.Close())
}
