package migrate_test

import (
	"bytes"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// refusesNames is a Worker that finds names in the object's metadata that S3 would not bring back.
type refusesNames struct{ migrate.Marker }

func (refusesNames) Mark(context.Context, userdb.UserID, wire.MarkRequest) (userdb.ETag, error) {
	return "", &userdb.Error{
		Op:   "mark",
		Kind: userdb.Blocked,
		Err:  &wire.RemoteError{Status: 422, Kind: wire.KindMetadataNames},
	}
}

// TestRefusedNamesLeaveTheFileAlone: nothing of ours may touch the object then, since a PUT over S3 is what
// would change its metadata.
func TestRefusedNamesLeaveTheFileAlone(t *testing.T) {
	w := world.New(t.TempDir())
	path := filepath.Join(t.TempDir(), "a.sqlite")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("CREATE TABLE t (a); INSERT INTO t VALUES (1)"); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const user = userdb.UserID("alice")
	key := w.Layout.Key(user)
	before, err := w.Bucket.Put(
		t.Context(),
		key,
		bytes.NewReader(content),
		int64(len(content)),
		userdb.PutOptions{IfNoneMatch: true},
	)
	if err != nil {
		t.Fatal(err)
	}
	e := w.Engine("run", w.Bucket, w.Objects, refusesNames{w.Objects})
	for try := range 2 { // the second one finds an object that was claimed, and a file without a stamp
		result := e.Migrate(t.Context(), user)
		if userdb.KindOf(result.Err()) != userdb.Blocked || result.Open {
			t.Errorf("try %d: got %s (open: %v): %v", try, result.Outcome, result.Open, result.Err())
		}
	}
	after, err := w.Bucket.Head(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	if after.ETag != before {
		t.Errorf("the file was touched: it was %s and is %s", before, after.ETag)
	}
	if !w.Serves(user) {
		t.Error("nobody serves the user")
	}
}

// failing is a Worker that fails at some marks.
type failing struct {
	migrate.Marker
	at  userdb.MarkKind
	err error
}

func (f failing) Mark(ctx context.Context, u userdb.UserID, req wire.MarkRequest) (userdb.ETag, error) {
	if mark, err := userdb.ParseMark(req.Head); err == nil && mark.Kind == f.at {
		return "", f.err
	}
	return f.Marker.Mark(ctx, u, req)
}

// TestNamesStayAsTheyAre: whatever a command does for a user with an object that S3 cannot carry, or does not
// do, the object keeps its names.
func TestNamesStayAsTheyAre(t *testing.T) {
	refused := &userdb.Error{
		Op:   "mark",
		Kind: userdb.Blocked,
		Err:  &wire.RemoteError{Status: 422, Kind: wire.KindMetadataNames},
	}
	broken := &userdb.Error{
		Op:   "mark",
		Kind: userdb.Unreachable,
		Err:  &wire.RemoteError{Status: 500, Kind: wire.KindInternal},
	}
	for _, c := range []struct {
		name    string
		at      userdb.MarkKind
		err     error
		command func(*migrate.Engine, context.Context) result.Result
		moved   bool // before the object got these names
		kind    userdb.Kind
	}{
		{"a fence is refused", userdb.FenceMark, refused, moves, false, userdb.Blocked},
		{"the Worker fails at the fence", userdb.FenceMark, broken, moves, false, userdb.Blocked},
		{"a rollback after a refused fence", userdb.FenceMark, refused, movesAndRollsBack, false, ""},
		{"the Worker fails at the lift, too", userdb.StampMark, broken, liftsOnly, false, userdb.Blocked},
		{"a rollback of a user who was moved", 0, nil, rollsBack, true, userdb.Blocked},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, key, _ := oneUser(t)
			e := w.Engine("run", w.Bucket, w.Objects, w.Objects)
			if c.moved {
				mustDo(t, e.Migrate(t.Context(), alice), result.OutcomeMigrated)
			}
			w.Bucket.Carry(key, "displayName", "x")
			e.Composites, e.Marker = nil, failing{w.Objects, c.at, c.err}
			r := c.command(e, t.Context())
			if userdb.KindOf(r.Err()) != c.kind || r.Open || r.StopsRun {
				t.Errorf("%s, open %v: %v", r.Outcome, r.Open, r.Err())
			}
			if after := w.Bucket.Carried(key); after["displayName"] != "x" {
				t.Errorf("it carries %v", after)
			}
			if !w.Serves(alice) {
				t.Error("nobody serves the user")
			}
		})
	}
}

func moves(e *migrate.Engine, ctx context.Context) result.Result { return e.Migrate(ctx, alice) }

func rollsBack(e *migrate.Engine, ctx context.Context) result.Result {
	return e.Rollback(ctx, alice, migrate.RollbackOptions{})
}

func movesAndRollsBack(e *migrate.Engine, ctx context.Context) result.Result {
	e.Migrate(ctx, alice)
	return rollsBack(e, ctx)
}

// liftsOnly leaves an object that was claimed, as a migrate does that dies, and rolls back.
func liftsOnly(e *migrate.Engine, ctx context.Context) result.Result {
	if _, err := e.Stores.Claim(ctx, alice, wire.ClaimRequest{Intent: wire.IntentMigrate, ID: "00000000000000000000000000000001"}); err != nil {
		panic(err)
	}
	return rollsBack(e, ctx)
}

// TestWorkerThatDoesNotTellNames: a Worker without the route is not one that says that everything travels.
func TestWorkerThatDoesNotTellNames(t *testing.T) {
	for _, carries := range []bool{false, true} {
		w, key, _ := oneUser(t)
		if carries {
			w.Bucket.Carry(key, "displayName", "x")
		}
		e := w.Engine("run", w.Bucket, w.Objects, w.Objects)
		e.TellsNames, e.MarkBytes, e.FenceBytes = false, 0, 0 // everything goes over S3
		for _, r := range []result.Result{moves(e, t.Context()), rollsBack(e, t.Context())} {
			if carries != (userdb.KindOf(r.Err()) == userdb.Blocked) && r.Action == result.ActionMigrate {
				t.Errorf("carries %v: %s, %v", carries, r.Outcome, r.Err())
			}
			if !carries && r.Err() != nil {
				t.Errorf("carries nothing: %s, %v", r.Outcome, r.Err())
			}
		}
		if carries && w.Bucket.Carried(key)["displayName"] != "x" {
			t.Errorf("it carries %v", w.Bucket.Carried(key))
		}
		if !w.Serves(alice) {
			t.Error("nobody serves the user")
		}
	}
}

// landed is a Worker that puts a fence, loses its answer, and refuses the repetition: the file has changed.
type landed struct{ migrate.Marker }

func (l landed) Mark(ctx context.Context, u userdb.UserID, req wire.MarkRequest) (userdb.ETag, error) {
	etag, err := l.Marker.Mark(ctx, u, req)
	if mark, parseErr := userdb.ParseMark(req.Head); err != nil || parseErr != nil || mark.Kind != userdb.FenceMark {
		return etag, err
	}
	return "", &userdb.Error{
		Op:   "mark",
		Kind: userdb.Precondition,
		Err:  &wire.RemoteError{Status: 409, Kind: wire.KindFileChanged},
	}
}

// TestAFenceThatLandedIsNoRefusal: beside a Worker that does not tell names, nothing may go over S3. That
// says nothing of the fence that the Worker was asked for before.
func TestAFenceThatLandedIsNoRefusal(t *testing.T) {
	w, key, _ := oneUser(t)
	w.Bucket.Carry(key, "displayName", "x")
	e := w.Engine("run", w.Bucket, w.Objects, w.Objects)
	e.TellsNames, e.Composites, e.Marker = false, nil, landed{w.Objects}
	mustDo(t, e.Migrate(t.Context(), alice), result.OutcomeMigrated)
	if !w.Serves(alice) {
		t.Error("nobody serves the user")
	}
	if after := w.Bucket.Carried(key); after["displayName"] != "x" {
		t.Errorf("it carries %v", after)
	}
}

// TestAFenceThatMayLandIsTakenBack: the Worker does not answer, and nothing may go over S3. Its fence may
// come late, so the file is touched. What cannot be touched is left alone, and the reason names both.
func TestAFenceThatMayLandIsTakenBack(t *testing.T) {
	broken := &userdb.Error{
		Op:   "mark",
		Kind: userdb.Unreachable,
		Err:  &wire.RemoteError{Status: 500, Kind: wire.KindInternal, Message: "the Worker broke down"},
	}
	w, key, _ := oneUser(t)
	w.Bucket.Carry(key, "displayName", "x")
	before, err := w.Bucket.Head(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	e := w.Engine("run", w.Bucket, w.Objects, w.Objects)
	e.TellsNames, e.Composites, e.Marker = false, nil, failing{w.Objects, userdb.FenceMark, broken}
	r := e.Migrate(t.Context(), alice)
	if userdb.KindOf(r.Err()) != userdb.Blocked || r.Open || r.Unfit || !strings.Contains(r.Err().Error(), "broke down") {
		t.Errorf("%s, open %v, unfit %v: %v", r.Outcome, r.Open, r.Unfit, r.Err())
	}
	after, err := w.Bucket.Head(t.Context(), key)
	if err != nil || after.ETag == before.ETag || !w.Serves(alice) {
		t.Errorf("the file was %s and is %s: %v", before.ETag, after.ETag, err)
	}
	if after := w.Bucket.Carried(key); after["displayName"] != "x" {
		t.Errorf("it carries %v", after)
	}
}

// TestSplitUserWithoutAFileIsListed: the flag of split mode is all that a scan sees of such a user.
func TestSplitUserWithoutAFileIsListed(t *testing.T) {
	x := newWalk(t)
	x.splitAt(20)
	e := x.engine()
	err := e.SplitFlags.Put(t.Context(), []userdb.Flag{{User: alice}})
	if err == nil {
		err = x.w.Bucket.Delete(t.Context(), x.w.Layout.Key(alice))
	}
	found, scanErr := e.Inspect().Scan(t.Context(), inspect.ScanOptions{Marks: true})
	if err != nil || scanErr != nil || len(found) != 1 || found[0].Place != inspect.PlaceMissing {
		t.Errorf("%+v, %v, %v", found, err, scanErr)
	}
}
