package migrate

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// TryMerge joins both halves of a split user on copies, as a rollback would, and names every conflict at
// once. It changes nothing. Of other users there is nothing to say.
func (e *Engine) TryMerge(ctx context.Context, u userdb.UserID) error {
	return e.TryMergePreferring(ctx, u, "")
}

// TryMergePreferring is TryMerge as a rollback with that preference would join them.
func (e *Engine) TryMergePreferring(ctx context.Context, u userdb.UserID, prefer split.Prefer) error {
	st, err := e.Stores.Status(ctx, u)
	if err != nil || st.Phase != userdb.Cold {
		return err
	}
	hot, err := e.hotCopy(ctx, u)
	if err != nil {
		return err
	}
	defer hot.Remove()
	return e.tryMerge(ctx, u, st, hot, prefer)
}

// hotCopy downloads the file of a split user, and checks that it may be opened.
func (e *Engine) hotCopy(ctx context.Context, u userdb.UserID) (*userfile.Copy, error) {
	hot, err := e.download(ctx, u)
	if userdb.KindOf(err) == userdb.NotFound {
		return nil, userfile.HotFileGone(u, e.Layout.Key(u))
	}
	if err != nil {
		return nil, err
	}
	if err := e.source().MayOpen(ctx, u, hot); err != nil {
		hot.Remove()
		return nil, err
	}
	return hot, nil
}

// tryMerge is TryMerge with a copy of the hot file. The application goes on meanwhile.
func (e *Engine) tryMerge(
	ctx context.Context,
	u userdb.UserID,
	st wire.Status,
	hot *userfile.Copy,
	prefer split.Prefer,
) error {
	return e.despiteWrites(ctx, "merge", u, st, func() error {
		whole, err := e.mergedCopy(ctx, u, st, hot, prefer)
		whole.Remove()
		return err
	})
}

// mergedCopy builds the whole file of a split user from what both sides have at this moment.
func (e *Engine) mergedCopy(
	ctx context.Context,
	u userdb.UserID,
	st wire.Status,
	hot *userfile.Copy,
	prefer split.Prefer,
) (*userfile.Copy, error) {
	report, err := e.Stores.FreshDigest(ctx, u)
	if err != nil {
		return nil, err
	}
	cold, err := e.exportFile(ctx, u, *report.Digest)
	if err != nil {
		return nil, err
	}
	defer cold.Remove()
	return e.joinedFile(ctx, u, st, halves{hot, cold, *report.Digest}, prefer)
}

// halves are copies of both halves of a split user; digest is that of the cold one.
type halves struct {
	hot, cold *userfile.Copy
	digest    wire.DatabaseDigest
}

func (e *Engine) joinedFile(
	ctx context.Context,
	u userdb.UserID,
	st wire.Status,
	of halves,
	prefer split.Prefer,
) (*userfile.Copy, error) {
	path, err := e.source().NewPath()
	if err != nil {
		return nil, err
	}
	_, err = split.UnionPreferring(ctx, prefer, of.hot.Path, of.cold.Path, path, referenceOf(st)...)
	err = aboutTable(u, err)
	if prefer != split.PreferHot {
		err = bothConflicts(changedCopies(u, st, of.digest), err)
	}
	if err != nil {
		return nil, errors.Join(err, removeIfThere(path))
	}
	whole := &userfile.Copy{Path: path}
	return whole, whole.Describe(e.Layout.Key(u))
}

// bothConflicts names two conflicts at once; another error stands for itself.
func bothConflicts(one, other error) error {
	var first, second *userdb.Error
	if !errors.As(one, &first) || !errors.As(other, &second) || second.Kind != userdb.Conflict {
		if one != nil && (other == nil || userdb.KindOf(other) == userdb.Conflict) {
			return one
		}
		return other
	}
	both := *first
	both.Err = fmt.Errorf("%w; %w", first.Err, second.Err)
	both.Hint = first.Hint + "; " + second.Hint
	return &both
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// Verify is the Inspector's. Of a user who is split it also says whether the two halves could be merged.
func (e *Engine) Verify(ctx context.Context, u userdb.UserID) result.Result {
	return e.canMergeBack(ctx, e.Inspect().Verify(ctx, u))
}

// canMergeBack says of a user who was verified whether the two halves could be merged.
func (e *Engine) canMergeBack(ctx context.Context, r result.Result) result.Result {
	if r.Err() != nil || !r.WasSplit {
		return r
	}
	err := e.TryMerge(ctx, r.User)
	switch userdb.KindOf(err) {
	case "":
		return r
	case userdb.Precondition:
		r.Reason += "; whether both halves could be merged is not known: the application wrote during every look"
		return r
	}
	return r.End(r.Took, err)
}
