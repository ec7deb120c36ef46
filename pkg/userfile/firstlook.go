package userfile

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dbmigrate/dbmigrate/pkg/preflight"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// FirstLook reads one version of the object, range by range.
func (s *Source) FirstLook(
	ctx context.Context,
	u userdb.UserID,
) (report sqlitefile.Report, object userdb.Object, sure bool, err error) {
	defer func() { err = s.NoSpace(err) }()
	key := s.Layout.Key(u)
	head, object, err := s.Files.GetRange(ctx, key, "", 0, preflight.SkimBytes)
	if encoded := (*userdb.EncodedError)(nil); errors.As(err, &encoded) {
		return sqlitefile.Encoded(encoded.Object.Headers.Coding()), encoded.Object, true, nil
	}
	if err != nil {
		return sqlitefile.Report{}, object, false, err
	}
	if coding := object.Headers.Coding(); coding != "" {
		return sqlitefile.Encoded(coding), object, true, nil
	}
	base, err := s.ScratchDir()
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
		content, _, err := s.Files.GetRange(ctx, key, object.ETag, offset, length)
		return content, err
	}
	report, sure, err = preflight.FirstLook(
		ctx,
		filepath.Join(dir, "schema.sqlite"),
		object.Size,
		s.Limits,
		read,
		s.FirstCheck().JudgeSkimmed,
	)
	return report, object, sure, err
}

// lookFirstBytes is how large a file must be for migrate to look at its header and schema before it is
// downloaded: below it, the requests more cost every user more than the rare file that is refused would save.
const lookFirstBytes = 16 << 20

var ErrLarge = errors.New("a large file")

// LargeFiles is a guard that ends the download of a file that had better be looked at first: one that says
// that it is large, or one that is no SQLite file and not small.
type LargeFiles struct {
	head []byte
	seen int64
}

func (l *LargeFiles) Write(p []byte) (int, error) {
	l.head = append(l.head, p[:min(len(p), userdb.HeaderBytes-len(l.head))]...)
	if l.seen += int64(len(p)); l.seen > preflight.SkimBytes &&
		(userdb.Classify(l.head) != userdb.SQLiteFile || statedBytes(l.head) > lookFirstBytes) {
		return 0, ErrLarge
	}
	return len(p), nil
}

// statedBytes is the size in pages that a SQLite header states (sqlite.org/fileformat2.html, section 1.3), in
// bytes. It may be wrong or 0.
func statedBytes(head []byte) int64 {
	page := int64(binary.BigEndian.Uint16(head[16:]))
	if page == 1 {
		page = 65536
	}
	return page * int64(binary.BigEndian.Uint32(head[28:]))
}
