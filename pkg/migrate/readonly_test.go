package migrate_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// readsOnly is a token that, from some moment on, may only read.
type readsOnly struct {
	migrate.Files
	now bool
	// everything: it may not even write what is the command's own.
	everything bool
}

func (r *readsOnly) Put(
	ctx context.Context,
	key userdb.ObjectKey,
	body io.ReadSeeker,
	size int64,
	opts userdb.PutOptions,
) (userdb.ETag, error) {
	if r.now && (r.everything || !strings.HasPrefix(string(key), userdb.ReservedPrefix)) {
		return "", &userdb.Error{
			Op:    "put",
			Thing: string(key),
			Kind:  userdb.Unauthorized,
			Err:   errors.New("403"),
		}
	}
	return r.Files.Put(ctx, key, body, size, opts)
}

// refusesLarge is a Worker that refuses every file for its size.
type refusesLarge struct{ migrate.Marker }

func (refusesLarge) Mark(context.Context, userdb.UserID, wire.MarkRequest) (userdb.ETag, error) {
	return "", &userdb.Error{Op: "mark", Kind: userdb.ProtocolError, Err: &wire.RemoteError{Kind: wire.KindTooLarge}}
}

// TestReopensWithATokenThatOnlyReads: what the token cannot do for the rollback it cannot do for the way out
// of it, either. The Worker does that.
func TestReopensWithATokenThatOnlyReads(t *testing.T) {
	for _, c := range []struct {
		name   string
		before func(*testing.T, *migrate.Engine, userdb.ObjectKey)
		open   bool // writes wait until the token is mended
	}{
		{"a file", func(*testing.T, *migrate.Engine, userdb.ObjectKey) {}, false},
		{"a tombstone", buries, false},
		{"no file", func(t *testing.T, e *migrate.Engine, key userdb.ObjectKey) {
			if err := e.Files.Delete(t.Context(), key); err != nil {
				t.Fatal(err)
			}
		}, false},
		{"a file that the Worker does not offer to mark", func(_ *testing.T, e *migrate.Engine, _ userdb.ObjectKey) { e.MarkBytes = 10 }, false},
		{"a file that is too large for the Worker", func(_ *testing.T, e *migrate.Engine, _ userdb.ObjectKey) {
			e.MarkBytes, e.Marker = 10, refusesLarge{e.Marker}
		}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, key, _ := oneUser(t)
			files := &readsOnly{Files: w.Bucket}
			e := world.Stepwise(w.Engine("run", files, w.Objects, w.Objects))
			mustDo(t, e.Migrate(t.Context(), alice), result.OutcomeMigrated)
			c.before(t, e, key)
			files.now = true
			r := e.Rollback(t.Context(), alice, migrate.RollbackOptions{})
			st, err := w.Objects.Status(t.Context(), alice)
			if userdb.KindOf(r.Err()) != userdb.Unauthorized || r.Open != c.open || err != nil ||
				(st.Phase != userdb.Active) != c.open {
				t.Errorf("open %v, the object is %s: %v, %v", r.Open, st.Phase, r.Err(), err)
			}
			files.now, e.MarkBytes, e.Marker = false, 1<<20, w.Objects
			if r := e.Rollback(t.Context(), alice, migrate.RollbackOptions{}); r.Err() != nil {
				t.Errorf("with a better token: %v", r.Err())
			}
			mustDo(t, e.Migrate(t.Context(), alice), result.OutcomeMigrated)
		})
	}
}

// grownTo says that databases of Durable Objects have grown to so many bytes, if it is not 0.
type grownTo struct {
	migrate.Stores
	bytes *int64
}

func (g grownTo) Status(ctx context.Context, u userdb.UserID) (wire.Status, error) {
	st, err := g.Stores.Status(ctx, u)
	if *g.bytes > 0 {
		st.DatabaseBytes = *g.bytes
	}
	return st, err
}

// TestATokenThatOnlyReadsSealsNobody: a file that is too large for the Worker could not be put back, nor
// could the object be opened again. The command finds out before it seals anything, and seals no one either
// with a file that no token could put: there is one kind of PUT only, which takes up to MaxPutBytes.
func TestATokenThatOnlyReadsSealsNobody(t *testing.T) {
	for name, c := range map[string]struct {
		markBytes, grown int64
		mayWrite         bool
		kind             userdb.Kind
	}{
		"a file": {1 << 20, 0, false, userdb.Unauthorized},
		"a file that is too large for the Worker": {10, 0, false, userdb.Unauthorized},
		"a database over 4 GiB":                   {1 << 20, 4<<30 + 1, false, userdb.Unauthorized},
		"a database that no PUT takes":            {1 << 20, userfile.MaxPutBytes + 1, true, userdb.Blocked},
	} {
		t.Run(name, func(t *testing.T) {
			w, _, _ := oneUser(t)
			var grown int64
			files := &readsOnly{Files: w.Bucket, everything: true}
			e := world.Stepwise(w.Engine("run", files, grownTo{w.Objects, &grown}, w.Objects))
			mustDo(t, e.Migrate(t.Context(), alice), result.OutcomeMigrated)
			files.now, e.MarkBytes, grown = !c.mayWrite, c.markBytes, c.grown
			before, err := w.Objects.Status(t.Context(), alice)
			if err != nil {
				t.Fatal(err)
			}
			r := e.Rollback(t.Context(), alice, migrate.RollbackOptions{})
			after, err := w.Objects.Status(t.Context(), alice)
			if err != nil || after.Phase != userdb.Active || after.Gen != before.Gen {
				t.Errorf("the object is %s under claim %d, not %d: %v", after.Phase, after.Gen, before.Gen, err)
			}
			if userdb.KindOf(r.Err()) != c.kind || r.Open || r.StopsRun != (c.kind == userdb.Unauthorized) {
				t.Errorf("open %v, stops the run %v: %v", r.Open, r.StopsRun, r.Err())
			}
		})
	}
}

// buries leaves of the file what gc does.
func buries(t *testing.T, e *migrate.Engine, key userdb.ObjectKey) {
	t.Helper()
	st, err := e.Stores.Status(t.Context(), alice)
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := json.Marshal(st.Receipt)
	if err != nil {
		t.Fatal(err)
	}
	stone, err := userdb.Tombstone{Lin: st.Lin, Non: st.Gen.Nonce(), User: alice, Receipt: receipt}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Files.Put(t.Context(), key, bytes.NewReader(stone), int64(len(stone)), userdb.PutOptions{}); err != nil {
		t.Fatal(err)
	}
}
