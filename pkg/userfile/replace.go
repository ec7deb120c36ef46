package userfile

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Putter writes to the bucket. A lost condition is a Precondition error.
type Putter interface {
	Put(
		ctx context.Context,
		key userdb.ObjectKey,
		body io.ReadSeeker,
		size int64,
		opts userdb.PutOptions,
	) (userdb.ETag, error)
}

// Writer is what it takes to replace a user's file.
type Writer struct {
	Files Putter
	// Worker, when set, replaces files of up to MarkBytes by itself under a mark, so that nothing travels.
	Worker interface {
		Mark(ctx context.Context, u userdb.UserID, req wire.MarkRequest) (userdb.ETag, error)
		Names(ctx context.Context, u userdb.UserID) ([]string, error)
	}
	MarkBytes int64
	// Random fills the random part of marks.
	Random io.Reader
}

// NamesRefused says whether the Worker found that the object's metadata could not come back as it is.
func NamesRefused(err error) bool {
	var refused *wire.RemoteError
	return errors.As(err, &refused) && refused.Kind == wire.KindMetadataNames
}

// Travels demands that S3 carries everything that the user's object has beside its bytes. Only the Worker
// sees that as it is; without it nobody can tell.
func (w *Writer) Travels(ctx context.Context, u userdb.UserID) error {
	if w.Worker == nil {
		return nil
	}
	names, err := w.Worker.Names(ctx, u)
	if userdb.KindOf(err) == userdb.NotFound {
		return nil // a Worker of before
	}
	if err != nil || len(names) == 0 {
		return err
	}
	return &userdb.Error{Op: "keep what the object carries of", Thing: string(u), Kind: userdb.Blocked,
		Err: &wire.RemoteError{
			Kind:    wire.KindMetadataNames,
			Message: fmt.Sprintf("S3 would not carry %.300q as it is", names),
		},
		Hint: "give the object metadata with names of small ASCII letters, digits and hyphens, and plain values, under the same bytes " +
			"(a copy onto itself with new metadata); the user is served as before"}
}

// Remark puts the spooled bytes under another mark, on condition that the object is still the spooled
// version. The Worker does it where it can. What it fails at is done from here, with the same bytes and on
// the same condition: at most one of the two takes effect.
func (s *Copy) Remark(
	ctx context.Context,
	w *Writer,
	u userdb.UserID,
	mark userdb.Mark,
) (userdb.ETag, error) {
	b, err := s.takeMarked(mark, w.Random)
	if err != nil {
		return "", err
	}
	defer b.close()
	if w.Worker != nil && b.size <= w.MarkBytes {
		etag, err := w.Worker.Mark(
			ctx,
			u,
			wire.MarkRequest{ETag: strings.Trim(string(s.ETag), `"`), Modified: s.LastModified.Unix(),
				Head: b.head, Tombstone: b.stone, MD5: hex.EncodeToString(b.md5()), Metadata: b.metadata(nil)},
		)
		var refused *wire.RemoteError
		if err == nil || NamesRefused(err) ||
			userdb.KindOf(err) == userdb.ProtocolError && !errors.As(err, &refused) {
			return etag, err
		}
	}
	if err := w.travelsUnder(ctx, u, s, mark); err != nil {
		return "", err
	}
	return w.put(ctx, b, s, s.Version)
}

// travelsUnder asks the Worker only of files without a fence: the fence has asked for it. A lift goes on
// without the Worker, because it is also the way out when only S3 answers.
func (w *Writer) travelsUnder(ctx context.Context, u userdb.UserID, file *Copy, mark userdb.Mark) error {
	if file.Fenced() {
		return nil
	}
	err := w.Travels(ctx, u)
	if mark.Kind == userdb.StampMark && userdb.KindOf(err) == userdb.Unreachable {
		return nil
	}
	return err
}

// FenceAbsent puts a tombstone where there is no object, so that a PUT on condition that there is none can no
// more take effect.
func (w *Writer) FenceAbsent(
	ctx context.Context,
	key userdb.ObjectKey,
	stone userdb.Tombstone,
) (userdb.ETag, error) {
	raw, err := stone.Encode()
	if err != nil {
		return "", err
	}
	sum := md5.Sum(raw)
	mark := userdb.Mark{Kind: userdb.FenceMark, Lin: stone.Lin, Non: stone.Non}
	if w.Worker != nil && w.MarkBytes > 0 {
		etag, err := w.Worker.Mark(
			ctx,
			stone.User,
			wire.MarkRequest{Tombstone: raw, MD5: hex.EncodeToString(sum[:]), Metadata: mark.Metadata(nil)},
		)
		if err == nil {
			return etag, nil
		}
	}
	return w.Files.Put(
		ctx,
		key,
		bytes.NewReader(raw),
		int64(len(raw)),
		userdb.PutOptions{IfNoneMatch: true, Metadata: mark.Metadata(nil), MD5: sum[:]},
	)
}

// Replace puts the file, under the mark, in place of the version that was seen (or of none, where none was).
func (s *Copy) Replace(ctx context.Context, w *Writer, seen Version, mark userdb.Mark) (userdb.ETag, error) {
	b, err := s.takeMarked(mark, w.Random)
	if err != nil {
		return "", err
	}
	defer b.close()
	return w.put(ctx, b, s, seen)
}

// put uploads it. The mark stands in the metadata too, for a cheap HEAD; the bytes decide.
func (w *Writer) put(ctx context.Context, b *marked, file *Copy, seen Version) (userdb.ETag, error) {
	opts := userdb.PutOptions{IfMatch: seen.ETag, IfNoneMatch: seen.Absent,
		Metadata: b.metadata(
			seen.Object.Metadata,
		), ContentType: contentType(seen, file), Headers: seen.Headers, MD5: b.md5()}
	return w.Files.Put(ctx, seen.Key, b.body(), b.size, opts)
}

// metadata is that of the object under the mark. A stamp comes with a note of the bytes that are sent.
func (m *marked) metadata(old map[string]string) map[string]string {
	meta := m.mark.Metadata(old)
	if m.mark.Kind == userdb.StampMark {
		userdb.WithContent(meta, m.md5())
	}
	return meta
}

// contentType is what the object had. A tombstone of an earlier version says of itself that it is text, and
// an absent object had none.
func contentType(seen Version, file *Copy) string {
	if seen.Absent || seen.Tombstone() && seen.ContentType == "text/plain" {
		return file.ContentType
	}
	return seen.ContentType
}
