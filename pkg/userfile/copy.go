package userfile

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Copy is one version of a user's file on the operator's disk, so that memory stays flat whatever its size.
// It holds the exact bytes of one ETag and is only read.
type Copy struct {
	Version
	Path string
	head []byte // the SQLite header as it was stored
	SHA  string // SHA-256 of the bytes with their mark taken off, hex: the same before and after a fence
	// Warnings are about objects that are moved and cannot be used on the other side.
	Warnings []sqlitefile.Problem

	ahead *marked // what the next PUT will send, when it is known before
}

// Fetch spools the object as it is now.
func (s *Source) Fetch(ctx context.Context, u userdb.UserID) (*Copy, error) {
	return s.FetchPast(ctx, u, func() io.Writer { return io.Discard })
}

// fetches is how often a download begins: one that was cut off goes on where it ended, unless the application
// has saved the file meanwhile.
const fetches = 8

// FetchPast shows a guard every byte before it is spooled, and each beginning of the download a new one. The
// guard's error ends the download.
func (s *Source) FetchPast(ctx context.Context, u userdb.UserID, guard func() io.Writer) (*Copy, error) {
	for begun := 1; ; begun++ {
		file, err := s.fetchOnce(ctx, u, guard())
		if userdb.KindOf(err) != userdb.Precondition {
			return file, err
		}
		if begun == fetches {
			return nil, &userdb.Error{Op: "download", Thing: string(s.Layout.Key(u)), Kind: userdb.Precondition, Err: err,
				Hint: fmt.Sprintf("%d downloads were cut off, and each time the application saved the file before the rest had come: "+
					"find out what cuts connections to R2, then run the command again", fetches)}
		}
	}
}

func (s *Source) fetchOnce(ctx context.Context, u userdb.UserID, guard io.Writer) (*Copy, error) {
	begun := s.now()
	f, err := s.newFile()
	if err != nil {
		return nil, s.NoSpace(fmt.Errorf("create spool file: %w", err))
	}
	sp := &Copy{Path: f.Name()}
	sum := &unmarkedSum{hash: sha256.New()}
	sp.Object, err = s.Files.Get(ctx, s.Layout.Key(u), "", io.MultiWriter(guard, f, sum))
	if err = errors.Join(err, f.Close()); err == nil {
		err = sp.readMark()
	}
	if err != nil {
		err = s.NoSpace(err) // while it is still full
		sp.Remove()
		return nil, err
	}
	sp.SHA = sum.hex()
	s.observe(result.Event{User: u, Stage: result.StageDownload, Bytes: sp.Size, Took: s.now().Sub(begun)})
	return sp, nil
}

// unmarkedSum hashes a SQLite file as if it carried no mark, in one pass.
type unmarkedSum struct {
	hash hash.Hash
	head []byte // the header, until it is complete
	done bool   // the header was hashed
}

func (s *unmarkedSum) Write(p []byte) (int, error) {
	n := len(p)
	if !s.done {
		take := min(userdb.HeaderBytes-len(s.head), len(p))
		s.head, p = append(s.head, p[:take]...), p[take:]
		if len(s.head) < userdb.HeaderBytes {
			return n, nil
		}
		s.endHead()
	}
	s.hash.Write(p)
	return n, nil
}

func (s *unmarkedSum) endHead() {
	head := s.head
	if plain, err := userdb.WithoutMark(head); err == nil {
		head = plain // what is no SQLite file has no mark to take off
	}
	s.hash.Write(head)
	s.done = true
}

func (s *unmarkedSum) hex() string {
	if !s.done {
		s.endHead()
	}
	return hex.EncodeToString(s.hash.Sum(nil))
}

// readMark reads back what the file begins with.
func (s *Copy) readMark() error {
	f, err := os.Open(s.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, lookBytes))
	if err != nil {
		return err
	}
	if s.Version, err = ReadVersion(s.Object, head); err != nil {
		return err
	}
	s.head = head[:min(len(head), userdb.HeaderBytes)]
	return nil
}

// Describe fills in what an exported file shares with an object that was downloaded.
func (s *Copy) Describe(key userdb.ObjectKey) error {
	info, err := os.Stat(s.Path)
	if err != nil {
		return err
	}
	s.Object = userdb.Object{Key: key, Size: info.Size(), ContentType: ContentType}
	if err := s.readMark(); err != nil {
		return err
	}
	f, err := os.Open(s.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := &unmarkedSum{hash: sha256.New()}
	_, err = io.Copy(sum, f)
	s.SHA = sum.hex()
	return err
}

// open opens the spooled bytes, with head in place of their own where one is given, for a PUT. The MD5 binds
// the PUT to what was read here, and what was read here is what was checked.
func (s *Copy) open(head []byte) (*os.File, []byte, error) {
	f, err := os.Open(s.Path)
	if err != nil {
		return nil, nil, err
	}
	sum, err := s.sums(f, head)
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, sum, nil
}

// Unchanged says whether the spooled bytes still are those that were downloaded, or built.
func (s *Copy) Unchanged() error {
	f, _, err := s.open(nil)
	if err != nil {
		return err
	}
	return f.Close()
}

// Intact waits for the bytes that were hashed ahead, and says whether they are those that were checked.
func (s *Copy) Intact() error { return s.ahead.intact() }

// Digest computes the digest of the spooled file.
func (s *Copy) Digest(ctx context.Context) (wire.DatabaseDigest, error) {
	db, err := sqlitefile.Open(ctx, s.Path)
	if err != nil {
		return wire.DatabaseDigest{}, err
	}
	defer db.Close()
	digest, err := db.Digest(ctx)
	if err != nil {
		return wire.DatabaseDigest{}, fmt.Errorf("digest %s: %w", s.Key, err)
	}
	return digest, nil
}

// PutAt puts the spooled bytes, as they are, under a key of dbmigrate's own.
func (s *Copy) PutAt(ctx context.Context, to Putter, key userdb.ObjectKey, opts userdb.PutOptions) error {
	f, sum, err := s.open(nil)
	if err != nil {
		return err
	}
	defer f.Close()
	opts.MD5 = sum
	_, err = to.Put(ctx, key, f, s.Size, opts)
	return err
}

// PutUnmarkedAt puts the bytes as they were before any mark; R2's answer proves what it holds.
func (s *Copy) PutUnmarkedAt(
	ctx context.Context,
	to Putter,
	key userdb.ObjectKey,
	opts userdb.PutOptions,
) error {
	head, err := userdb.WithoutMark(s.head)
	if err != nil {
		return err
	}
	f, sum, err := s.open(head)
	if err != nil {
		return err
	}
	defer f.Close()
	opts.MD5 = sum
	_, err = to.Put(ctx, key, io.NewSectionReader(&patched{f: f, head: head}, 0, s.Size), s.Size, opts)
	return err
}

// WriteUnmarked writes the bytes as they were before any mark.
func (s *Copy) WriteUnmarked(w io.Writer) error {
	head, err := userdb.WithoutMark(s.head)
	if err != nil {
		return err
	}
	f, _, err := s.open(head)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, io.NewSectionReader(&patched{f: f, head: head}, 0, s.Size))
	return err
}

// sums reads the spooled file once, for the MD5 of its bytes under head. Other bytes than were spooled are an
// error.
func (s *Copy) sums(f *os.File, head []byte) ([]byte, error) {
	plain, sent := &unmarkedSum{hash: sha256.New()}, &patchedSum{Hash: md5.New(), head: head}
	if _, err := io.Copy(io.MultiWriter(plain, sent), io.NewSectionReader(f, 0, s.Size+1)); err != nil {
		return nil, err
	}
	if plain.hex() != s.SHA {
		return nil, s.changed()
	}
	return sent.Sum(nil), nil
}

func (s *Copy) changed() error {
	return &userdb.Error{Op: "send", Thing: string(s.Key), Kind: userdb.Mismatch,
		Err:  errors.New("its copy on this machine is not what was checked any more"),
		Hint: "find out what writes to the folder for temporary files, or whether its disk fails; the user's file was not replaced"}
}

// patchedSum hashes what patched reads.
type patchedSum struct {
	hash.Hash
	head []byte // what is left of it
}

func (s *patchedSum) Write(p []byte) (int, error) {
	n := min(len(s.head), len(p))
	s.Hash.Write(s.head[:n])
	s.Hash.Write(p[n:])
	s.head = s.head[n:]
	return len(p), nil
}

// ContentType is SQLite's registered media type (IANA).
const ContentType = "application/vnd.sqlite3"

func (s *Copy) Remove() {
	if s != nil {
		s.ahead.close()
		os.Remove(s.Path)
	}
}

// markHead puts the mark into a SQLite header. Its random part makes the object's ETag one that never was
// before.
func markHead(head []byte, mark userdb.Mark, random io.Reader) ([]byte, error) {
	salt := make([]byte, userdb.MarkRandomBytes)
	if _, err := io.ReadFull(random, salt); err != nil {
		return nil, err
	}
	if mark.Kind == userdb.FenceMark && mark.Split {
		return userdb.WithSplitFence(head, mark.Lin, mark.Non, salt)
	}
	if mark.Kind == userdb.FenceMark {
		return userdb.WithFence(head, mark.Lin, mark.Non, salt)
	}
	return userdb.WithStamp(head, mark.Stamp, salt)
}
