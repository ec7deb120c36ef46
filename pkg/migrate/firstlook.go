package migrate

import (
	"context"
	"errors"
	"io"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// downloadToMove is download, except for a large file with a header and schema that show that it cannot be
// moved: it stays where it is. Under a claim there is no time for that look.
func (m *migration) downloadToMove(ctx context.Context) (*userfile.Copy, error) {
	if m.g > 0 {
		return m.download(ctx, m.user)
	}
	file, err := m.source().FetchPast(ctx, m.user, func() io.Writer { return &userfile.LargeFiles{} })
	if !errors.Is(err, userfile.ErrLarge) {
		return file, err
	}
	if err := m.refuseUnread(ctx); err != nil {
		return nil, err
	}
	return m.download(ctx, m.user)
}

// refuseUnread leaves what it is not sure of, and files under a mark, to the way of every file.
func (m *migration) refuseUnread(ctx context.Context) error {
	looking, done := m.untilStopped(ctx)
	report, object, sure, err := m.source().FirstLook(looking, m.user)
	done()
	if userdb.KindOf(err) == userdb.Precondition { // the application saved a new version meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case object.Size > userfile.MaxPutBytes:
		err = userfile.TooLargeToPut("migrate", m.user, object.Size)
	case sure:
		err = userfile.About(m.user, report.Err())
	default:
		return nil
	}
	now, lookErr := m.look(ctx, m.user)
	if lookErr != nil {
		return lookErr
	}
	if now.ETag != object.ETag || !now.Plain() {
		return nil
	}
	m.result.Bytes, m.result.ETag, m.result.Unfit = object.Size, object.ETag, true
	return err
}
