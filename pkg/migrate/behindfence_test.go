package migrate_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

const alice = userdb.UserID("alice")

// oneUser is a world with one user, who has one row.
func oneUser(t *testing.T, more ...string) (*world.World, userdb.ObjectKey, []byte) {
	t.Helper()
	w := world.New(t.TempDir())
	path := filepath.Join(t.TempDir(), "a.sqlite")
	db, err := sql.Open("sqlite", path)
	if err == nil {
		_, err = db.Exec("CREATE TABLE t (a); INSERT INTO t VALUES (1);" + strings.Join(more, ";"))
	}
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	key := w.Layout.Key(alice)
	if _, err := w.Bucket.Put(t.Context(), key, bytes.NewReader(content), int64(len(content)), userdb.PutOptions{IfNoneMatch: true}); err != nil {
		t.Fatal(err)
	}
	return w, key, content
}

// TestAUserWhoSignedUpAgainIsNamed: the application deletes the file behind the fence and makes a new one.
// What it acknowledged there is in no object.
func TestAUserWhoSignedUpAgainIsNamed(t *testing.T) {
	w, key, content := oneUser(t)
	e := world.Stepwise(w.Engine("run", w.Bucket, w.Objects, w.Objects))
	e.Observe = func(ev result.Event) {
		if ev.Stage != result.StageFence {
			return
		}
		err := w.Bucket.Delete(t.Context(), key)
		if err == nil {
			_, err = w.Bucket.Put(
				t.Context(),
				key,
				bytes.NewReader(content),
				int64(len(content)),
				userdb.PutOptions{IfNoneMatch: true},
			)
		}
		if err != nil {
			t.Error(err)
		}
	}
	e.Concurrency = 1
	fleet.Each(t.Context(), e, []userdb.UserID{alice}, result.ActionMigrate, e.Migrate, func(r result.Result) {
		if userdb.KindOf(r.Err()) != userdb.Conflict {
			t.Errorf("%s: %v", r.Outcome, r.Err())
		}
	})
}

// unlocks saves, after the Worker's first fence, what a reader had loaded: some builds of SQLite keep the
// mark then and take off the lock.
type unlocks struct {
	migrate.Marker
	w      *world.World
	key    userdb.ObjectKey
	fences int
}

func (u *unlocks) Mark(context.Context, userdb.UserID, wire.MarkRequest) (userdb.ETag, error) {
	return "", &userdb.Error{Op: "mark", Kind: userdb.Precondition, Err: errors.New("raced")}
}

func (u *unlocks) Fence(ctx context.Context, id userdb.UserID, req wire.FenceRequest) (wire.Fenced, error) {
	f, err := u.Marker.Fence(ctx, id, req)
	if u.fences++; u.fences > 1 || err != nil {
		return f, err
	}
	var content bytes.Buffer
	o, err := u.w.Bucket.Get(ctx, u.key, "", &content)
	if err != nil {
		return f, err
	}
	raw := content.Bytes()
	raw[18], raw[19] = 1, 1
	_, err = u.w.Bucket.Put(
		ctx,
		u.key,
		bytes.NewReader(raw),
		int64(len(raw)),
		userdb.PutOptions{IfMatch: o.ETag, Metadata: o.Metadata},
	)
	return f, err
}

// racing lets the application win every race for the version that was read.
type racing struct {
	migrate.Files
	key userdb.ObjectKey
}

func (r racing) Put(
	ctx context.Context,
	key userdb.ObjectKey,
	body io.ReadSeeker,
	size int64,
	opts userdb.PutOptions,
) (userdb.ETag, error) {
	if key == r.key {
		return "", &userdb.Error{Op: "put", Kind: userdb.Precondition, Err: errors.New("raced")}
	}
	return r.Files.Put(ctx, key, body, size, opts)
}

func (r racing) GetRange(
	ctx context.Context,
	key userdb.ObjectKey,
	ifMatch userdb.ETag,
	offset, length int64,
) ([]byte, userdb.Object, error) {
	head, object, err := r.Files.GetRange(ctx, key, ifMatch, offset, length)
	if mark, markErr := userdb.ParseMark(head); markErr == nil && key == r.key &&
		mark.Kind != userdb.FenceMark {
		object.ETag = `"another"`
	}
	return head, object, err
}

// TestAMarkWithoutItsLockIsNoFence: every writer could write such a file.
func TestAMarkWithoutItsLockIsNoFence(t *testing.T) {
	w, key, _ := oneUser(t)
	e := w.Engine("run", racing{w.Bucket, key}, w.Objects, &unlocks{Marker: w.Objects, w: w, key: key})
	e.FenceBytes = 1 << 30
	r := e.Migrate(t.Context(), alice)
	head, _, err := w.Bucket.GetRange(t.Context(), key, "", 0, userdb.HeaderBytes)
	if err != nil || r.Err() != nil || !userdb.Locked(head) {
		t.Errorf("%s, %v; %v; locked: %v", r.Outcome, r.Err(), err, userdb.Locked(head))
	}
}

// saves overwrites the Worker's first fences, as a writer does that had loaded the file before.
type saves struct {
	unlocks
	times int
}

func (s *saves) Fence(ctx context.Context, id userdb.UserID, req wire.FenceRequest) (wire.Fenced, error) {
	var loaded bytes.Buffer
	if _, err := s.w.Bucket.Get(ctx, s.key, "", &loaded); err != nil {
		return wire.Fenced{}, err
	}
	f, err := s.Marker.Fence(ctx, id, req)
	if s.fences++; s.fences > s.times || err != nil {
		return f, err
	}
	_, err = s.w.Bucket.Put(ctx, s.key, bytes.NewReader(loaded.Bytes()), int64(loaded.Len()), userdb.PutOptions{})
	return f, err
}

// TestAWriterThatHardlyPausesIsFenced: most of its requests have loaded when the fence comes.
func TestAWriterThatHardlyPausesIsFenced(t *testing.T) {
	w, key, _ := oneUser(t)
	marker := &saves{unlocks{Marker: w.Objects, w: w, key: key}, 30}
	e := w.Engine("run", racing{w.Bucket, key}, w.Objects, marker)
	e.FenceBytes = 1 << 30
	if r := e.Migrate(t.Context(), alice); r.Err() != nil || !r.Serves() {
		t.Errorf("%s after %d fences: %v", r.Outcome, marker.fences, r.Err())
	}
}

type noDelete struct{ migrate.Flags }

func (noDelete) Delete(context.Context, []userdb.UserID) error {
	return &userdb.Error{Op: "delete flags", Kind: userdb.Unauthorized, Err: errors.New("403")}
}

type noReady struct{ migrate.Stores }

func (noReady) Ready(
	context.Context,
	userdb.UserID,
	userdb.Claim,
	wire.DatabaseDigest,
	wire.Receipt,
) (wire.Status, error) {
	return wire.Status{}, &userdb.Error{Op: "ready", Kind: userdb.Unreachable, Err: errors.New("503")}
}

// TestAFlagThatStaysIsSaid: beside an old path a flag that was set before the switch sends writes to a router
// that saves nothing.
func TestAFlagThatStaysIsSaid(t *testing.T) {
	w, _, _ := oneUser(t)
	e := w.Engine("run", w.Bucket, noReady{w.Objects}, w.Objects)
	e.Flags, e.Concurrency = noDelete{w.Flags}, 1
	e.Procedure = migrate.Procedure{
		Writers:        migrate.WritersUnconditional,
		LongestRequest: 10 * time.Millisecond,
	}
	fleet.Each(t.Context(), e, []userdb.UserID{alice}, result.ActionMigrate, e.Migrate, func(r result.Result) {
		if r.Err() == nil || !r.Open || !r.FlagLeft() {
			t.Errorf("%s, open %v, flag left %v: %v", r.Outcome, r.Open, r.FlagLeft(), r.Err())
		}
	})
}
