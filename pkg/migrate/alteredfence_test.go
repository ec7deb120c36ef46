package migrate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// The write version of a file that no SQLite opens (sqlite.org/fileformat2.html, section 1.3).
const writeVersionAt, locked = 18, 255

// alteredAt are bytes of a file that is under way: each part of the header that a mark uses, and content.
var alteredAt = []int{18, 60, 63, 72, 75, 79, 83, 84, 86, 91, 200, 0}

// TestAlteredFence: whatever byte of a fence something on the way alters, and however often, nobody is served
// from altered bytes, and what went back as the file is the file.
func TestAlteredFence(t *testing.T) {
	mended := 0
	for _, at := range alteredAt {
		for times := 1; times <= 3; times++ {
			for _, lost := range []bool{false, true} {
				t.Run(fmt.Sprintf("byte %d, %d times, lost %v", at, times, lost), func(t *testing.T) {
					w, key, _ := oneUser(t)
					before := plainBytes(t, w, key)
					files := &alters{Files: w.Bucket, key: key, lost: lost, at: at, left: times}
					e := w.Engine("run", files, w.Objects, nil)
					r := e.Migrate(t.Context(), alice)
					if r.Err() == nil {
						mended++
					}
					holdsOrRefuses(t, w, key, before, r)
					files.left = 0
					r = e.Rollback(t.Context(), alice, migrate.RollbackOptions{})
					holdsOrRefuses(t, w, key, before, r)
				})
			}
		}
	}
	if mended < len(alteredAt) {
		t.Errorf("%d fences were mended", mended)
	}
}

// holdsOrRefuses demands of an object that anybody may read that it is the user's.
func holdsOrRefuses(t *testing.T, w *world.World, key userdb.ObjectKey, before []byte, r result.Result) {
	t.Helper()
	if r.Err() != nil && (rawBytes(t, w, key)[writeVersionAt] == locked || !w.Serves(alice)) {
		return // nobody is served; the run says so
	}
	if now := plainBytes(t, w, key); !bytes.Equal(now, before) {
		t.Errorf("the file is another one, after %s: %v", r.Outcome, r.Err())
	}
}

func rawBytes(t *testing.T, w *world.World, key userdb.ObjectKey) []byte {
	t.Helper()
	var content bytes.Buffer
	if _, err := w.Bucket.Get(t.Context(), key, "", &content); err != nil {
		t.Fatal(err)
	}
	return content.Bytes()
}

// plainBytes is the file without its mark.
func plainBytes(t *testing.T, w *world.World, key userdb.ObjectKey) []byte {
	t.Helper()
	content := rawBytes(t, w, key)
	head, err := userdb.WithoutMark(content[:userdb.HeaderBytes])
	if err != nil {
		t.Fatal(err)
	}
	return append(head, content[userdb.HeaderBytes:]...)
}

// TestAlteredFenceOfADeadCommand: the note beside the bytes tells the next command.
func TestAlteredFenceOfADeadCommand(t *testing.T) {
	w, key, _ := oneUser(t)
	files := &alters{Files: w.Bucket, key: key, lost: true, left: 1000}
	e := w.Engine("run", files, w.Objects, nil)
	if r := e.Migrate(t.Context(), alice); r.Err() == nil {
		t.Fatal(r.Outcome)
	}
	files.left = 0
	for range 2 {
		for _, r := range []result.Result{
			e.Migrate(t.Context(), alice), e.Rollback(t.Context(), alice, migrate.RollbackOptions{}),
		} {
			if userdb.KindOf(r.Err()) != userdb.Conflict || w.Serves(alice) {
				t.Errorf("%s: %v", r.Outcome, r.Err())
			}
			safeHint(t, r)
		}
	}
}

// onlySmall is a bucket that refuses files, and takes tombstones.
type onlySmall struct {
	migrate.Files
	key     userdb.ObjectKey
	refuses bool
}

func (o *onlySmall) Put(
	ctx context.Context,
	key userdb.ObjectKey,
	body io.ReadSeeker,
	size int64,
	opts userdb.PutOptions,
) (userdb.ETag, error) {
	if o.refuses && key == o.key && size >= 4096 {
		return "", &userdb.Error{Op: "put", Thing: string(key), Kind: userdb.NotStored, Err: errors.New("full")}
	}
	return o.Files.Put(ctx, key, body, size, opts)
}

// TestAlteredTombstone: a reopening without a file puts a tombstone. Its receipt is all that tells how the
// user was moved.
func TestAlteredTombstone(t *testing.T) {
	for _, lost := range []bool{false, true} {
		w, key, _ := oneUser(t)
		altering := &alters{Files: w.Bucket, key: key, lost: lost, at: 200}
		files := &onlySmall{Files: altering, key: key}
		e := w.Engine("run", files, w.Objects, nil)
		mustDo(t, e.Migrate(t.Context(), alice), result.OutcomeMigrated)
		if err := w.Bucket.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		altering.left, files.refuses = 1, true
		r := e.Rollback(t.Context(), alice, migrate.RollbackOptions{})
		if r.Err() == nil || altering.left != 0 || !w.Serves(alice) {
			t.Errorf("%s, %d altered PUTs left: %v", r.Outcome, altering.left, r.Err())
		}
		seen, err := w.Bucket.Head(t.Context(), key)
		if err != nil || userdb.HasOtherContent(seen) {
			t.Errorf("the tombstone is another one: %v", err)
		}
		files.refuses = false
		mustDo(t, e.Rollback(t.Context(), alice, migrate.RollbackOptions{}), result.OutcomeExported)
	}
}
