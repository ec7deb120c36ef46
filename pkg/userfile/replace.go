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
	Files interface {
		Putter
		Head(ctx context.Context, key userdb.ObjectKey) (userdb.Object, error)
	}
	// Worker, when set, replaces files of up to MarkBytes by itself under a mark, so that nothing travels.
	Worker interface {
		Mark(ctx context.Context, u userdb.UserID, req wire.MarkRequest) (userdb.ETag, error)
		Names(ctx context.Context, u userdb.UserID) (wire.FileSeen, error)
	}
	MarkBytes int64
	// TellsNames says that the Worker answers Names.
	TellsNames bool
	// Random fills the random part of marks.
	Random io.Reader
}

// NamesRefused says whether a PUT was refused before it was sent, since the object's metadata could not come
// back as it is: nothing of it is under way.
func NamesRefused(err error) bool {
	var refused *wire.RemoteError
	return errors.As(err, &refused) && refused.Kind == wire.KindMetadataNames
}

// Travels demands that S3 carries everything that the user's object has beside its bytes. Only the Worker
// sees that as it is. Where it does not tell, S3 has to show none: S3 shows that there is metadata, but not
// how its names were written. Without a Worker nobody can tell, and nobody promised it.
func (w *Writer) Travels(ctx context.Context, u userdb.UserID, seen Version) error {
	if w.Worker == nil {
		return nil
	}
	if !w.TellsNames {
		return w.carriesNothing(u, seen)
	}
	told, err := w.Worker.Names(ctx, u)
	if err != nil {
		return err
	}
	return carriesAll(u, told)
}

func carriesAll(u userdb.UserID, told wire.FileSeen) error {
	if len(told.Names) == 0 {
		return nil
	}
	return doesNotTravel(u, fmt.Errorf("S3 would not carry %.300q as it is", told.Names),
		"give the object metadata with names of small ASCII letters, digits and hyphens, and plain values, under the same bytes "+
			"(a copy onto itself with new metadata); the user is served as before")
}

// carriesNothing is Travels beside a Worker that does not tell.
func (w *Writer) carriesNothing(u userdb.UserID, seen Version) error {
	if !userdb.HasForeignMetadata(seen.Object.Metadata) {
		return nil
	}
	return doesNotTravel(u, errors.New(
		"it has metadata, and this Worker does not tell whether S3 would carry it as it is (hello has no names)"),
		"update the Worker, and give handleAdmin the bucket (docs/mount.md); the user is served as before")
}

func doesNotTravel(u userdb.UserID, why error, hint string) error {
	return &userdb.Error{
		Op:    "keep what the object carries of",
		Thing: string(u),
		Kind:  userdb.Blocked,
		Err:   &wire.RemoteError{Kind: wire.KindMetadataNames, Message: why.Error()},
		Hint:  hint,
	}
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
	etag, err := w.remark(ctx, u, s, b)
	return etag, sent(err, b.md5())
}

func (w *Writer) remark(ctx context.Context, u userdb.UserID, s *Copy, b *marked) (userdb.ETag, error) {
	var asked error
	if w.Worker != nil && b.size <= w.MarkBytes {
		var etag userdb.ETag
		etag, asked = w.Worker.Mark(ctx, u, s.message(b))
		var refused *wire.RemoteError
		if asked == nil || NamesRefused(asked) ||
			userdb.KindOf(asked) == userdb.ProtocolError && !errors.As(asked, &refused) {
			return etag, asked
		}
	}
	if err := w.travelsUnder(ctx, u, s, b.mark); err != nil {
		return "", afterAsking(asked, err)
	}
	etag, err := w.put(ctx, b, s, s.Version)
	if userdb.KindOf(err) == userdb.Unauthorized && w.Worker != nil && w.MarkBytes > 0 && b.size > w.MarkBytes {
		return w.insteadOfToken(ctx, u, s.message(b), err)
	}
	return etag, err
}

// afterAsking is what stops a PUT from here when the Worker was asked before, and failed. What it was asked
// for may have been done, or may come to be. So this is no NamesRefused, which says that nothing is under
// way.
func afterAsking(asked, stopped error) error {
	var refused *userdb.Error
	if asked == nil || !NamesRefused(stopped) || !errors.As(stopped, &refused) {
		return stopped
	}
	both := *refused
	both.Err = fmt.Errorf("%v; the Worker was asked first: %w", refused.Err, asked)
	return &both
}

// insteadOfToken lets the Worker mark a file that it does not offer to mark: it takes long, and the token may
// not. Where the Worker refuses as well, refused says what to mend.
func (w *Writer) insteadOfToken(
	ctx context.Context,
	u userdb.UserID,
	asked wire.MarkRequest,
	refused error,
) (userdb.ETag, error) {
	etag, err := w.Worker.Mark(ctx, u, asked)
	var answered *wire.RemoteError
	if errors.As(err, &answered) && (answered.Kind == wire.KindTooLarge || userdb.KindOf(err) == userdb.Unauthorized) {
		return "", refused
	}
	return etag, err
}

// message asks the Worker for the bytes under the mark, in place of the spooled version.
func (s *Copy) message(b *marked) wire.MarkRequest {
	return wire.MarkRequest{ETag: strings.Trim(string(s.ETag), `"`), Modified: s.LastModified.Unix(),
		Head: b.head, Tombstone: b.stone, MD5: hex.EncodeToString(b.md5()), Metadata: b.metadata(nil)}
}

// MarkMessage asks for the mark in a composite request. Its bytes are those that were checked. They are kept:
// where the request fails, the PUT that follows sends the same ones, so that it does not matter which lands.
func (s *Copy) MarkMessage(mark userdb.Mark, random io.Reader) (wire.MarkRequest, error) {
	b, err := s.takeMarked(mark, random)
	if err != nil {
		return wire.MarkRequest{}, err
	}
	s.ahead = b
	return s.message(b), nil
}

// travelsUnder asks the Worker only of files without a fence: the fence has asked for it. A lift goes on
// without the Worker, because it is also the way out when only S3 answers.
func (w *Writer) travelsUnder(ctx context.Context, u userdb.UserID, file *Copy, mark userdb.Mark) error {
	if file.Fenced() {
		return nil
	}
	err := w.travelsFromHere(ctx, u, file.Version)
	if mark.Kind == userdb.StampMark && userdb.KindOf(err) == userdb.Unreachable {
		return nil
	}
	return err
}

// travelsFromHere is Travels of an object that is put over S3, and demands that it is the Worker's, too.
func (w *Writer) travelsFromHere(ctx context.Context, u userdb.UserID, seen Version) error {
	if w.Worker == nil || !w.TellsNames {
		return w.Travels(ctx, u, seen)
	}
	told, err := w.Worker.Names(ctx, u)
	if err == nil {
		err = w.isTheWorkers(ctx, u, seen, told.File)
	}
	if err != nil {
		return err
	}
	return carriesAll(u, told)
}

// FenceAbsent puts a tombstone where there is no object, so that a PUT on condition that there is none can no
// more take effect. Where seen is an object, the tombstone takes the place of that version.
func (w *Writer) FenceAbsent(
	ctx context.Context,
	seen Version,
	stone userdb.Tombstone,
) (userdb.ETag, error) {
	raw, err := stone.Encode()
	if err != nil {
		return "", err
	}
	sum := md5.Sum(raw)
	etag, err := w.putStone(ctx, seen, stone, raw, sum[:])
	return etag, sent(err, sum[:])
}

func (w *Writer) putStone(
	ctx context.Context,
	seen Version,
	stone userdb.Tombstone,
	raw, sum []byte,
) (userdb.ETag, error) {
	meta := userdb.Mark{Kind: userdb.FenceMark, Lin: stone.Lin, Non: stone.Non}.Metadata(nil)
	userdb.WithContent(meta, sum)
	if w.Worker != nil && w.MarkBytes > 0 && seen.Absent {
		etag, err := w.Worker.Mark(
			ctx,
			stone.User,
			wire.MarkRequest{Tombstone: raw, MD5: hex.EncodeToString(sum), Metadata: meta},
		)
		if err == nil {
			return etag, nil
		}
	}
	return w.Files.Put(
		ctx,
		seen.Key,
		bytes.NewReader(raw),
		int64(len(raw)),
		userdb.PutOptions{
			IfMatch:     seen.ETag,
			IfNoneMatch: seen.Absent,
			Metadata:    meta,
			MD5:         sum,
		},
	)
}

// Replace puts the file, under the mark, in place of the version that was seen (or of none, where none was).
func (s *Copy) Replace(ctx context.Context, w *Writer, seen Version, mark userdb.Mark) (userdb.ETag, error) {
	b, err := s.takeMarked(mark, w.Random)
	if err != nil {
		return "", err
	}
	defer b.close()
	etag, err := w.put(ctx, b, s, seen)
	return etag, sent(err, b.md5())
}

// put uploads it. The mark stands in the metadata too, for a cheap HEAD; the bytes decide.
func (w *Writer) put(ctx context.Context, b *marked, file *Copy, seen Version) (userdb.ETag, error) {
	opts := userdb.PutOptions{IfMatch: seen.ETag, IfNoneMatch: seen.Absent,
		Metadata: b.metadata(
			seen.Object.Metadata,
		), ContentType: contentType(seen, file), Headers: seen.Headers, MD5: b.md5()}
	return w.Files.Put(ctx, seen.Key, b.body(), b.size, opts)
}

// metadata is that of the object under the mark, with a note of the bytes that are sent. A command that dies
// before it looks leaves the note to the next one.
func (m *marked) metadata(old map[string]string) map[string]string {
	meta := m.mark.Metadata(old)
	userdb.WithContent(meta, m.md5())
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
