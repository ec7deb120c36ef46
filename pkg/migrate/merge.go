package migrate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// merge brings the cold rows of a sealed Durable Object back into the file (docs/split.md).
func (r *retreat) merge(ctx context.Context, at position) (*wire.Status, error) {
	st := at.object
	if err := r.tellSealed(ctx, st); err != nil {
		return nil, err
	}
	cold, written, err := r.exportCold(ctx, st)
	if err != nil {
		return nil, err
	}
	defer cold.Remove()
	hot, err := r.fenceHot(ctx, st)
	if err != nil {
		return nil, err
	}
	if hot == nil {
		return nil, errLookAgain // the PUT of an earlier run came between
	}
	defer hot.Remove()
	whole, left, err := r.unite(ctx, hot, cold, referenceOf(st))
	if err != nil {
		return nil, err
	}
	defer whole.Remove()
	if err := r.fitsMerged(ctx, whole); err != nil {
		return nil, err
	}
	if left > 0 || written {
		if err := r.keepLoser(ctx, hot, cold); err != nil {
			return nil, err
		}
	}
	if _, err := r.Stores.Merge(ctx, r.user, r.g); err != nil {
		return nil, err
	}
	if err := r.putUnited(ctx, whole, hot.Version, st); err != nil {
		return nil, err
	}
	r.result.Bytes = whole.Size
	_, err = r.releaseWhole(ctx)
	return nil, err
}

// tellSealed tells who asked that the cold rows are about to leave the Durable Object.
func (r *retreat) tellSealed(ctx context.Context, st wire.Status) error {
	if r.opts.sealed == nil {
		return nil
	}
	return r.opts.sealed(ctx, st)
}

// fitsMerged asks the split that comes next whether it can divide the user. A user with no cold row left
// is whole, and that is right.
func (r *retreat) fitsMerged(ctx context.Context, whole *userfile.Copy) error {
	if r.opts.fits == nil {
		return nil
	}
	if err := r.opts.fits(ctx, whole); !errors.Is(err, errNothingCold) {
		return err
	}
	return nil
}

// releaseMerged ends a merge if an earlier run put its whole file in place. The fence of a command that was
// overtaken may have come over the whole file since, as in full mode, so the file is touched once more.
func (r *retreat) releaseMerged(ctx context.Context, at position) (*wire.Status, error) {
	if err := r.tellSealed(ctx, at.object); err != nil {
		return nil, err
	}
	if err := r.believeWhole(ctx, at.file, at.object); err != nil {
		return nil, err
	}
	r.result.Bytes = at.file.Size
	return r.releaseWhole(ctx)
}

// believeWhole lets the cold rows go. Where the file may not have them, it takes a confirmation, and they are
// saved first.
func (r *retreat) believeWhole(ctx context.Context, file userfile.Version, st wire.Status) error {
	err := userfile.WholeArrived(r.user, file, st)
	if err == nil || !r.opts.DiscardWrites || !userfile.AlteredParts(file, st) {
		return err
	}
	report, err := r.Stores.FreshDigest(ctx, r.user)
	if err != nil {
		return err
	}
	return r.saveLeftBehind(ctx, *report.Digest)
}

func (r *retreat) releaseWhole(ctx context.Context) (*wire.Status, error) {
	r.result.Outcome, r.result.WasSplit = result.OutcomeMerged, true
	st, err := r.released(ctx)
	r.served = r.served || err == nil // until then writes of cold rows wait
	return st, err
}

// exportCold builds a file from the sealed Durable Object and proves it. written says that somebody wrote to
// the copy of a reference table, and that the hot rows are preferred.
func (r *retreat) exportCold(ctx context.Context, st wire.Status) (cold *userfile.Copy, written bool, err error) {
	report, err := r.Stores.FreshDigest(ctx, r.user)
	if err != nil {
		return nil, false, err
	}
	if err := changedCopies(r.user, st, *report.Digest); err != nil {
		if r.opts.Prefer != split.PreferHot {
			return nil, false, err
		}
		written = true
	}
	cold, err = r.exportFile(ctx, r.user, *report.Digest)
	return cold, written, err
}

// keepLoser saves the half that is not preferred, before rows of it go.
func (r *retreat) keepLoser(ctx context.Context, hot, cold *userfile.Copy) error {
	if r.opts.Prefer == split.PreferCold {
		return r.putLeftBehind(ctx, hot, nil)
	}
	return r.putLeftBehind(ctx, cold, nil)
}

// referenceOf names the tables that a split user's Durable Object has copies of.
func referenceOf(st wire.Status) []string {
	if st.Receipt == nil {
		return nil
	}
	return st.Receipt.Reference
}

// changedCopies refuses a merge if somebody wrote to the copy of a reference table: the merge would leave
// that behind.
func changedCopies(u userdb.UserID, st wire.Status, cold wire.DatabaseDigest) error {
	if len(referenceOf(st)) == 0 {
		return nil
	}
	changed := split.ChangedCopies(st.Receipt.Digest, cold, referenceOf(st))
	if len(changed) == 0 {
		return nil
	}
	return &userdb.Error{
		Op:    "merge",
		Thing: string(u),
		Kind:  userdb.Conflict,
		Err: fmt.Errorf(
			"the cold side's copy of a reference table was written: %s; it is read-only, and the hot rows count",
			strings.Join(changed, ", "),
		),
		Hint: "make the same change through scope hot if it is wanted, undo it through scope cold, and roll back again",
	}
}

// fenceHot stops the writers and returns the file as it stays from here on. A fence of an earlier run gets
// our number, so that the PUT of that run cannot match any more. If the phase implies a fence but the file
// has none, an earlier merge PUT has landed: then it returns nil, because a new fence would hide that PUT.
func (r *retreat) fenceHot(ctx context.Context, st wire.Status) (*userfile.Copy, error) {
	for try := range putTries {
		file, lost, err := r.tryToFenceHot(ctx, st, try)
		if !lost {
			return file, err
		}
	}
	return nil, lostRaces("fence", r.user)
}

// tryToFenceHot is one attempt; lost says that the application was faster. All but the first are announced,
// and begin when routers hold the user's saves.
func (r *retreat) tryToFenceHot(
	ctx context.Context,
	st wire.Status,
	try int,
) (file *userfile.Copy, lost bool, err error) {
	if try > 0 {
		defer r.fences.announce(ctx, try > 1)()
	}
	file, err = r.download(ctx, r.user)
	if userdb.KindOf(err) == userdb.NotFound {
		return nil, false, userfile.HotFileGone(r.user, r.Layout.Key(r.user))
	}
	if err != nil {
		return nil, false, err
	}
	if st.Phase != userdb.ColdSealed && !file.FencedBy(st.Lin) {
		defer file.Remove()
		return nil, false, file.Superseded("merge", r.user, r.g)
	}
	err = r.stillOurs(ctx, "merge", r.user, r.g, file)
	if err == nil {
		err = r.fenceOver(ctx, file, st.Lin)
	}
	if err == nil {
		r.observe(result.Event{User: r.user, Stage: result.StageFence})
		return file, false, nil
	}
	file.Remove()
	return nil, userdb.KindOf(err) == userdb.Precondition, err
}

// stillOurs asks, after the version was read that the fence will be put over, whether the claim is still the
// newest. An application's VACUUM may have wiped the stamp of a newer command's file, so the file does not
// tell; and a fence of this lineage over a whole file would say that it was never made whole. A newer command
// that claims later changes the version, so this fence cannot match any more.
func (e *Engine) stillOurs(
	ctx context.Context,
	op string,
	u userdb.UserID,
	g userdb.Claim,
	file *userfile.Copy,
) error {
	if file.Fenced() {
		return nil // no application writes a fenced file
	}
	st, err := e.Stores.Status(ctx, u)
	if err == nil && st.Gen != g {
		err = userfile.SupersededBy(op, u, g, st.Gen, errors.New("the file was written again"))
	}
	return err
}

// fenceOver puts the fence over the spooled version. Afterwards the spool stands for the fenced object.
func (r *retreat) fenceOver(ctx context.Context, file *userfile.Copy, lin userdb.Lineage) error {
	if err := file.Superseded("merge", r.user, r.g); err != nil {
		return err
	}
	if file.Fenced() && file.Lin != lin {
		return userfile.Overwritten(
			r.user,
			fmt.Errorf(
				"%s carries the fence of claim %d, and the cold rows are of claim %d",
				file.Key,
				file.Lin,
				lin,
			),
		)
	}
	mark := userdb.Mark{Kind: userdb.FenceMark, Lin: lin, Non: r.g.Nonce(), Split: true}
	etag, err := r.putFence(ctx, r.user, file, mark)
	if err != nil {
		etag, err = r.fenceOverLanded(ctx, file, mark, err)
	}
	file.ETag = etag
	return err
}

func (r *retreat) fenceOverLanded(
	ctx context.Context,
	file *userfile.Copy,
	mark userdb.Mark,
	putErr error,
) (userdb.ETag, error) {
	now, err := r.lookAtHot(ctx)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w; and the file cannot be looked at: %w", putErr, err)
	case now.PutBy(mark):
		return r.mendFence(ctx, r.user, file, mark, now, putErr)
	case now.ETag != file.ETag:
		return "", &userdb.Error{Op: "fence", Thing: string(r.user), Kind: userdb.Precondition, Err: putErr}
	}
	return "", putErr
}

// unite builds the whole file. What cannot be united is refused before the Durable Object is told of a merge.
func (r *retreat) unite(
	ctx context.Context,
	hot, cold *userfile.Copy,
	reference []string,
) (whole *userfile.Copy, left int64, err error) {
	// The application has written it since the split.
	if r.opened == "" || hot.SHA != r.opened {
		source := r.source()
		source.WritesWait = true
		if err := source.MayOpen(ctx, r.user, hot); err != nil {
			return nil, 0, err
		}
	}
	path, err := r.source().NewPath()
	if err != nil {
		return nil, 0, err
	}
	whole = &userfile.Copy{Path: path}
	left, err = split.UnionPreferring(ctx, r.opts.Prefer, hot.Path, cold.Path, path, reference...)
	if err == nil {
		err = whole.Describe(hot.Key)
	}
	if err == nil && whole.Size > userfile.MaxPutBytes {
		err = userfile.TooLargeToPut("merge", r.user, whole.Size)
	}
	if err != nil {
		whole.Remove()
		return nil, 0, aboutTable(r.user, err)
	}
	whole.ContentType = hot.ContentType
	return whole, left, nil
}

// putUnited puts the whole file over the fence. When the fence is gone although the PUT failed, it took
// effect, now or in an earlier run.
func (r *retreat) putUnited(
	ctx context.Context,
	whole *userfile.Copy,
	fenced userfile.Version,
	st wire.Status,
) error {
	err := r.putStamped(ctx, whole, fenced, userfile.OtherWhole)
	if userdb.KindOf(err) != userdb.Precondition {
		return err
	}
	file, lookErr := r.lookAtHot(ctx)
	if lookErr != nil {
		return lookErr
	}
	if file.Fenced() {
		return err
	}
	return userfile.WholeArrived(r.user, file, st)
}

func (r *retreat) lookAtHot(ctx context.Context) (userfile.Version, error) {
	file, err := r.look(ctx, r.user)
	if err != nil {
		return userfile.Version{}, err
	}
	if file.Absent {
		return userfile.Version{}, userfile.HotFileGone(r.user, file.Key)
	}
	return file, file.Superseded("merge", r.user, r.g)
}

// undoSplit takes back a split that has not reached the file. The Durable Object is emptied under a fence
// that no PUT of the dead command matches, and the fence is lifted last: a lift before would look as if the
// hot rows had been put.
func (r *retreat) undoSplit(ctx context.Context, at position) (*wire.Status, error) {
	hot, err := r.fenceHot(ctx, at.object)
	if err != nil {
		return nil, err
	}
	if hot == nil {
		return nil, errLookAgain // the PUT of the split came between
	}
	hot.Remove()
	r.result.WasSplit = true
	return r.released(ctx)
}

// sealCold takes back a split that has reached the file: the rows are joined as of any split user.
func (r *retreat) sealCold(ctx context.Context, at position) (*wire.Status, error) {
	err := userfile.HotArrived(r.user, at.file, at.object)
	if err != nil && !(r.opts.DiscardWrites && userfile.AlteredParts(at.file, at.object)) {
		return nil, err
	}
	st, err := r.Stores.Activate(ctx, r.user, r.g)
	return &st, err
}

// splitNeedsStore refuses what would decide about a split user without the Durable Object: the place of the
// rows is concluded from the fence.
func splitNeedsStore(u userdb.UserID) error {
	return &userdb.Error{Op: "roll back", Thing: string(u), Kind: userdb.Conflict,
		Err:  errors.New("the user is split: the Durable Object has rows that no file has"),
		Hint: "hot rows are served from the file; roll back without --discard-writes when the Durable Object answers"}
}
