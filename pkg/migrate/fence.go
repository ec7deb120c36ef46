package migrate

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// putTries bounds how often a conditional PUT that lost its race is tried on the newer version.
const putTries = 8

// nearTries is the same for a fence that the Worker puts, next to the file.
const nearTries = 40

// fence puts the spooled version back with our fence, if it is still the current one. Precondition means that
// a writer was faster. Whether an error came before or after the PUT's effect cannot be known, so the file
// itself is asked.
func (m *migration) fence(ctx context.Context) error {
	// From here on the PUT may take effect, and then the user's writes wait for us: an interrupt must not
	// separate the two.
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), switchTime(m.result.Bytes))
	defer cancel()
	begun := m.now()
	before := m.fenced
	m.fenced = true
	etag, err := m.putFence(ctx, m.user, m.file, m.fenceMark())
	if userfile.NamesRefused(err) {
		// The Worker refuses this object every time, so no fence of ours can be under way, and the file is
		// not touched to stop one.
		m.fenced, m.result.Unfit = before, true
		return err
	}
	if userfile.IsOtherBucket(err) {
		m.fenced = before
		return err
	}
	if err != nil {
		etag, err = m.fenceLanded(ctx, m.fenceMark(), err)
	}
	if err != nil {
		return err
	}
	m.receipt = m.receiptFor(etag, begun.UnixMilli())
	m.observe(result.Event{User: m.user, Stage: result.StageFence, Took: m.now().Sub(begun)})
	return nil
}

// mayFenceAsItIs says whether the Worker can fence the file without being told which version. The size is
// that of the last version that was seen.
func (m *migration) mayFenceAsItIs() bool {
	return m.Marker != nil && m.FenceBytes > 0 && m.result.Bytes <= m.FenceBytes
}

// fenceAsItIs lets the Worker fence whatever the file is by then, and downloads that. The file of a busy user
// is never again the version that was downloaded; the Worker reads and writes next to it.
func (m *migration) fenceAsItIs(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), switchTime(m.result.Bytes))
	defer cancel()
	begun := m.now()
	before := m.fenced
	m.fenced = true
	landed, err := m.Marker.Fence(
		ctx,
		m.user,
		wire.FenceRequest{Gen: m.g, Split: m.parts != nil, Metadata: m.fenceMark().Metadata(nil)},
	)
	if userfile.NamesRefused(err) {
		m.fenced, m.result.Unfit = before, true
		return err
	}
	if userdb.KindOf(err) == userdb.Precondition {
		return errFenceOverwritten // by an old path, or by routers that know nothing of announcements
	}
	if err := m.admit(ctx); err != nil {
		return err
	}
	if !m.file.Carries(m.g) {
		return cmp.Or(err, errFenceOverwritten)
	}
	m.receipt = m.receiptFor(m.file.ETag, begun.UnixMilli())
	m.receipt.SourceETag = userdb.ETag(landed.Source)
	m.observe(result.Event{User: m.user, Stage: result.StageFence, Took: m.now().Sub(begun)})
	return nil
}

func (m *migration) fenceMark() userdb.Mark {
	return userdb.Mark{Kind: userdb.FenceMark, Lin: m.g.Lineage(), Non: m.g.Nonce(), Split: m.parts != nil}
}

// fenceLanded decides after a failed PUT: ours is in the file, a newer command's is, or the PUT had no
// effect.
func (m *migration) fenceLanded(
	ctx context.Context,
	mark userdb.Mark,
	putErr error,
) (userdb.ETag, error) {
	file, err := m.look(ctx, m.user)
	if err != nil {
		return "", fmt.Errorf("%w; and the file cannot be looked at: %w", putErr, err)
	}
	if err := file.Superseded("fence", m.user, m.g); err != nil {
		return "", err
	}
	if file.PutBy(mark) {
		return m.mendFence(ctx, m.user, m.file, mark, file, putErr)
	}
	if file.ETag != m.file.ETag {
		return "", &userdb.Error{Op: "fence", Thing: string(m.user), Kind: userdb.Precondition, Err: putErr}
	}
	return "", putErr
}

// mendFence demands of a file with our fence that it holds the bytes that were sent. If not, the copy on this
// machine is the only true one: it is put in place of the altered version. Nobody writes a fenced file, so
// nothing is lost by that.
func (e *Engine) mendFence(
	ctx context.Context,
	u userdb.UserID,
	file *userfile.Copy,
	mark userdb.Mark,
	now userfile.Version,
	putErr error,
) (userdb.ETag, error) {
	if now.Carries(mark.Non.Claim()) && now.Arrived(putErr) {
		return now.ETag, nil
	}
	mended, err := e.fenceInPlaceOf(ctx, u, now, file, mark)
	if err != nil {
		return "", errors.Join(err, putErr)
	}
	return mended.ETag, nil
}

// fenceInPlaceOf puts the copy under the fence in place of an altered version, and looks whether it arrived.
func (e *Engine) fenceInPlaceOf(
	ctx context.Context,
	u userdb.UserID,
	altered userfile.Version,
	file *userfile.Copy,
	mark userdb.Mark,
) (userfile.Version, error) {
	_, putErr := e.replace(ctx, file, altered, mark)
	now, err := e.look(ctx, u)
	if err == nil && now.Carries(mark.Non.Claim()) && !userdb.HasOtherContent(now.Object) && now.Arrived(putErr) {
		return now, nil
	}
	return now, errors.Join(userfile.OtherUnderFence("fence", u, altered), putErr, err)
}

func (m *migration) receiptFor(fenced userdb.ETag, at int64) wire.Receipt {
	return wire.Receipt{User: m.user, Reference: m.parts.copied(), Bucket: m.Bucket, Key: m.file.Key, Claim: m.g,
		SourceETag: m.file.ETag, SourceSHA: m.file.SHA, SourceBytes: m.file.Size, FencedETag: fenced,
		MigratedAt: at, Run: m.Run, Version: m.Version}
}

// refence repeats the fence of a file, same lineage, under our number.
func (m *migration) refence(ctx context.Context, state userfile.Version) error {
	file, err := m.download(ctx, m.user)
	if err != nil {
		return err
	}
	m.replaceFile(file)
	if file.ETag != state.ETag {
		return &userdb.Error{
			Op:    "fence again",
			Thing: string(m.user),
			Kind:  userdb.Precondition,
			Err:   fmt.Errorf("%s changed", file.Key),
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), switchTime(m.result.Bytes))
	defer cancel()
	mark := userdb.Mark{Kind: userdb.FenceMark, Lin: state.Lin, Non: m.g.Nonce(), Split: state.Split}
	_, err = m.putFence(ctx, m.user, file, mark)
	if err == nil {
		return nil
	}
	_, err = m.fenceLanded(ctx, mark, err)
	return err
}

func (e *Engine) putFence(
	ctx context.Context,
	u userdb.UserID,
	file *userfile.Copy,
	mark userdb.Mark,
) (userdb.ETag, error) {
	return file.Remark(ctx, e.writer(), u, mark)
}

// replace puts the file, under the mark, in place of the version that was seen.
func (e *Engine) replace(
	ctx context.Context,
	file *userfile.Copy,
	seen userfile.Version,
	mark userdb.Mark,
) (userdb.ETag, error) {
	return file.Replace(ctx, e.writer(), seen, mark)
}
