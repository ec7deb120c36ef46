package migrate

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/backoff"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

const (
	// sideTries bounds how often a backup looks again because the user moved to the other side.
	sideTries = 4
	// quietTries bounds how often a large Durable Object is read again because the application wrote.
	quietTries = 5
	quietPause = time.Second
	// readAtOnceBytes is the largest Durable Object that is read in one request, for which its writes wait
	// once.
	readAtOnceBytes = 64 << 10
)

// Keeper puts a copy where a backup belongs, whole or not at all, and says where that is. The digest is ""
// where the database is one that dbmigrate cannot read row by row.
type Keeper func(ctx context.Context, file *userfile.Copy, digest string) (where string, err error)

// Backup copies the user's database, of one moment, from the side that serves the user, proves the copy
// and hands it to keep. It claims nothing and stops nobody: the application writes on.
func (e *Engine) Backup(ctx context.Context, u userdb.UserID, keep Keeper) result.Result {
	started := e.now()
	b := &backup{Engine: e, user: u, keep: keep, result: &result.Result{User: u, Action: result.ActionBackup}}
	err := e.endOnDisk(b.result, b.run(ctx))
	return b.result.End(e.now().Sub(started), err)
}

type backup struct {
	*Engine
	user   userdb.UserID
	keep   Keeper
	result *result.Result
}

var errMoved = errors.New("the user moved to the other side meanwhile")

func (b *backup) run(ctx context.Context) error {
	var err error
	for range sideTries {
		if err = b.once(ctx); !errors.Is(err, errMoved) {
			return err
		}
	}
	return &userdb.Error{Op: "back up", Thing: string(b.user), Kind: userdb.Precondition, Err: err,
		Hint: "nothing was changed; run the command again when no other command moves the user"}
}

func (b *backup) once(ctx context.Context) error {
	st, file, err := b.sides().Both(ctx, b.user)
	if err != nil {
		return err
	}
	if st.Phase == userdb.Cold {
		return b.ofBoth(ctx, st)
	}
	if st.Phase.Split() {
		return &userdb.Error{Op: "back up", Thing: string(b.user), Kind: userdb.Blocked,
			Err:  fmt.Errorf("a split or a merge of the user was begun (%s)", st.Phase),
			Hint: "dbmigrate migrate or rollback ends it; then back up"}
	}
	switch userfile.Classify(file, st) {
	case userfile.Migrated, userfile.RollbackBegun:
		if err := userfile.MaySeal(b.user, st, file); err != nil {
			return b.orMoved(ctx, st, err)
		}
		return b.ofObject(ctx, st)
	case userfile.AtFile, userfile.MigrationBegun, userfile.MigrationFenced, userfile.BirthFenced, userfile.RollbackPut:
		return b.ofFile(ctx)
	}
	_, problem, next := userfile.Serves(st, file)
	return b.orMoved(ctx, st, &userdb.Error{Op: "back up", Thing: string(b.user), Kind: userdb.Conflict,
		Err: errors.New(problem), Hint: "nobody can tell which side is right; first: " + userfile.For(b.user, next)})
}

// ofFile keeps the file as it was before any mark. One GET is one version, so it is of one moment.
func (b *backup) ofFile(ctx context.Context) error {
	if err := b.source().RefuseBeside(ctx, b.user); err != nil {
		return err
	}
	file, err := b.download(ctx, b.user)
	if err != nil {
		return err
	}
	defer file.Remove()
	if file.Tombstone() {
		return errMoved
	}
	if file.Fenced() {
		// It is the truth for as long as no Durable Object was opened over it.
		st, err := b.Stores.Status(ctx, b.user)
		if err != nil {
			return err
		}
		if !userfile.HoldsNothing(st.Phase) {
			return errMoved
		}
	}
	digest, err := b.proveFile(ctx, file)
	if err != nil {
		return err
	}
	return b.save(ctx, file, digest)
}

// ofBoth joins both halves of a split user on copies, as a rollback would. The cold half is read until
// nobody wrote to it between its first row and the download of the hot half: then the whole is of the
// moment of that download.
func (b *backup) ofBoth(ctx context.Context, st wire.Status) error {
	err := b.despiteWrites(ctx, "back up", b.user, st, func() error { return b.joined(ctx) })
	return b.orMoved(ctx, st, err)
}

func (b *backup) joined(ctx context.Context) error {
	report, err := b.Stores.FreshDigest(ctx, b.user)
	if err != nil {
		return err
	}
	cold, err := b.exportFile(ctx, b.user, *report.Digest)
	if err != nil {
		return err
	}
	defer cold.Remove()
	hot, err := b.hotCopy(ctx, b.user)
	if err != nil {
		return err
	}
	defer hot.Remove()
	now, err := b.Stores.Status(ctx, b.user)
	if err != nil {
		return err
	}
	if now.Gen != report.Gen || now.Phase != userdb.Cold {
		return errMoved
	}
	if now.Writes != report.Writes {
		return &userdb.Error{Op: "back up", Thing: string(b.user), Kind: userdb.Conflict, Err: errWroteMeanwhile}
	}
	whole, err := b.joinedFile(ctx, b.user, now, halves{hot, cold, *report.Digest}, "")
	if err != nil {
		return err
	}
	defer whole.Remove()
	digest, err := whole.Digest(ctx)
	if err != nil {
		return err
	}
	b.result.AddReason("both halves of a split user, merged")
	return b.save(ctx, whole, &digest)
}

// proveFile checks the file as migrate does. A database that a Durable Object could not hold is kept all
// the same: its bytes are those of the ETag.
func (b *backup) proveFile(ctx context.Context, file *userfile.Copy) (*wire.DatabaseDigest, error) {
	report, err := b.source().FirstCheck().Preflight(ctx, file.Path, b.Limits)
	if err != nil {
		return nil, err
	}
	err = report.Err()
	if err == nil {
		digest, err := file.Digest(ctx)
		return &digest, err
	}
	if userdb.KindOf(err) == userdb.Blocked {
		b.result.AddReason("kept byte for byte, and not compared row by row: a Durable Object could not hold it")
		return nil, nil
	}
	return nil, userfile.About(b.user, err)
}

// ofObject builds a file from the Durable Object. A small one answers with all that it holds; a larger one
// is followed. Where that cannot be, each page is of one moment, and the whole is, if nobody wrote
// meanwhile.
func (b *backup) ofObject(ctx context.Context, st wire.Status) error {
	if b.Snapshots == nil {
		return b.orMoved(ctx, st, b.betweenWrites(ctx, st))
	}
	if st.DatabaseBytes <= min(b.SnapshotBytes, readAtOnceBytes) {
		if done, err := b.atOnce(ctx, st); done {
			return err
		}
	}
	cannot := b.byFollowing(ctx, st)
	if !noFollowing(cannot) {
		return b.orMoved(ctx, st, cannot)
	}
	if st.DatabaseBytes <= b.SnapshotBytes {
		if done, err := b.atOnce(ctx, st); done {
			return err
		}
	}
	err := b.betweenWrites(ctx, st)
	if userdb.KindOf(err) == userdb.Precondition {
		err = fmt.Errorf("%w; and %w", err, cannot)
	}
	return b.orMoved(ctx, st, err)
}

// atOnce asks for all in one request. done is false for an object that has grown too large.
func (b *backup) atOnce(ctx context.Context, st wire.Status) (done bool, err error) {
	end := b.importTurn(ctx, st.DatabaseBytes)
	defer end()
	all, err := b.Snapshots.ReadAll(ctx, b.user)
	if err == nil {
		return true, b.build(ctx, b.answeredBy(all), *all.Digest)
	}
	return !tooLarge(err), b.orMoved(ctx, st, err)
}

func tooLarge(err error) bool {
	var remote *wire.RemoteError
	return errors.As(err, &remote) && (remote.Kind == wire.KindTooLarge || remote.Kind == wire.KindNotFound)
}

// betweenWrites reads the pages until nobody has written in between.
func (b *backup) betweenWrites(ctx context.Context, st wire.Status) error {
	for try := 1; ; try++ {
		err := b.despiteWrites(ctx, "back up", b.user, st, func() error {
			report, err := b.Stores.FreshDigest(ctx, b.user)
			if err != nil {
				return err
			}
			return b.build(ctx, b.Engine, report)
		})
		if userdb.KindOf(err) != userdb.Precondition || try == quietTries {
			return err
		}
		if err := backoff.Sleep(ctx, time.Duration(try)*quietPause); err != nil {
			return err
		}
		if st, err = b.Stores.Status(ctx, b.user); err != nil {
			return err
		}
	}
}

// orMoved looks for another command behind a contradiction: one that began since, or one that has gone on
// under its claim.
func (b *backup) orMoved(ctx context.Context, st wire.Status, err error) error {
	switch userdb.KindOf(err) {
	case userdb.Conflict, userdb.Mismatch, userdb.Superseded:
	default:
		return err
	}
	now, statusErr := b.Stores.Status(ctx, b.user)
	if statusErr != nil || now.Gen == st.Gen && now.Phase == st.Phase {
		return err
	}
	return fmt.Errorf("%w: %w", errMoved, err)
}

func (b *backup) build(ctx context.Context, from *Engine, report wire.DigestReport) error {
	file, err := from.exportFile(ctx, b.user, *report.Digest)
	if err != nil {
		return err
	}
	defer file.Remove()
	return b.save(ctx, file, report.Digest)
}

func (b *backup) save(ctx context.Context, file *userfile.Copy, digest *wire.DatabaseDigest) error {
	begun, name := b.now(), ""
	if digest != nil {
		name = digest.Database
	}
	where, err := b.keep(ctx, file, name)
	if err != nil {
		return err
	}
	b.observe(result.Event{User: b.user, Stage: result.StagePut, Bytes: file.Size, Took: b.now().Sub(begun)})
	b.result.Outcome, b.result.Bytes, b.result.SavedTo, b.result.Digest = result.OutcomeBackedUp, file.Size, where, name
	if digest != nil {
		b.result.Tables = len(digest.Tables)
		for _, t := range digest.Tables {
			b.result.Rows += t.Rows
		}
	}
	return nil
}
