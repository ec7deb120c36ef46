package migrate

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// LookDeep says whether a user's file could be moved. It begins with the header and the schema, which need a few ranged reads; a file that these
// block is not downloaded. For every other file it is Preflight. It changes nothing.
func (e *Engine) LookDeep(ctx context.Context, u userdb.UserID) (sqlitefile.Report, error) {
	report, _, sure, err := e.firstLook(ctx, u)
	if err == nil && sure {
		return report, nil
	}
	if err != nil && userdb.KindOf(err) != userdb.Precondition { // the application saved a new version meanwhile
		return sqlitefile.Report{}, err
	}
	return e.Preflight(ctx, u)
}

// firstLook reads one version of the object, range by range.
func (e *Engine) firstLook(ctx context.Context, u userdb.UserID) (report sqlitefile.Report, object userdb.Object, sure bool, err error) {
	key := e.Layout.Key(u)
	head, object, err := e.Files.GetRange(ctx, key, "", 0, sqlitefile.SkimBytes)
	if err != nil {
		return sqlitefile.Report{}, object, false, err
	}
	if coding := object.Headers.Coding(); coding != "" {
		return sqlitefile.Encoded(coding), object, true, nil
	}
	base, err := e.scratchDir()
	if err != nil {
		return sqlitefile.Report{}, object, false, err
	}
	dir, err := os.MkdirTemp(base, "dbmigrate-schema-")
	if err != nil {
		return sqlitefile.Report{}, object, false, fmt.Errorf("create folder for the schema: %w", err)
	}
	defer os.RemoveAll(dir)
	read := func(offset, length int64) ([]byte, error) {
		if offset == 0 {
			return head[:min(length, int64(len(head)))], nil
		}
		content, _, err := e.Files.GetRange(ctx, key, object.ETag, offset, length)
		return content, err
	}
	report, sure, err = sqlitefile.FirstLook(ctx, filepath.Join(dir, "schema.sqlite"), object.Size, e.Limits, read, e.checks().JudgeSkimmed)
	return report, object, sure, err
}

// lookFirstBytes is how large a file must be for migrate to look at its header and schema before it is downloaded: below it, the requests more
// cost every user more than the rare file that is refused would save.
const lookFirstBytes = 16 << 20

var errLarge = errors.New("a large file")

// largeFiles is a guard that ends the download of a file that had better be looked at first: one that says that it is large, or one
// that is no SQLite file and not small.
type largeFiles struct {
	head []byte
	seen int64
}

func (l *largeFiles) Write(p []byte) (int, error) {
	l.head = append(l.head, p[:min(len(p), userdb.HeaderBytes-len(l.head))]...)
	if l.seen += int64(len(p)); l.seen > sqlitefile.SkimBytes && (userdb.Classify(l.head) != userdb.SQLiteFile || statedBytes(l.head) > lookFirstBytes) {
		return 0, errLarge
	}
	return len(p), nil
}

// statedBytes is the size in pages that a SQLite header states (sqlite.org/fileformat2.html, section 1.3), in bytes. It may be wrong or 0.
func statedBytes(head []byte) int64 {
	page := int64(binary.BigEndian.Uint16(head[16:]))
	if page == 1 {
		page = 65536
	}
	return page * int64(binary.BigEndian.Uint32(head[28:]))
}

// downloadToMove is download but for a large file whose header and schema show that it cannot be moved: it stays where it is. Under a claim there
// is no time for it.
func (m *migration) downloadToMove(ctx context.Context) (*spool, error) {
	if m.g > 0 {
		return m.download(ctx, m.user)
	}
	file, err := m.downloadPast(ctx, m.user, &largeFiles{})
	if !errors.Is(err, errLarge) {
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
	report, object, sure, err := m.firstLook(looking, m.user)
	done()
	if userdb.KindOf(err) == userdb.Precondition { // the application saved a new version meanwhile
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case object.Size > maxPutBytes:
		err = tooLargeToPut("migrate", m.user, object.Size)
	case sure:
		err = about(m.user, report.Err())
	default:
		return nil
	}
	now, lookErr := m.look(ctx, m.user)
	if lookErr != nil {
		return lookErr
	}
	if now.ETag != object.ETag || !now.plain() {
		return nil
	}
	m.result.Bytes, m.result.ETag, m.result.Unfit = object.Size, object.ETag, true
	return err
}

// plain: dbmigrate has left nothing on it.
func (f fileState) plain() bool {
	return !f.absent && f.Mark.Kind == userdb.NoMark && f.what != userdb.TombstoneFile && userdb.MetadataHotOf(f.Object.Metadata) == 0
}
