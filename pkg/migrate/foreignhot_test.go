package migrate_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// TestForeignHotRowsAreNamed: a file of a split has no cold rows. The operator who lets it serve is told, and
// in a run over everybody it is refused and stays as it is.
func TestForeignHotRowsAreNamed(t *testing.T) {
	x := newWalk(t)
	x.splitAt(20)
	key := x.w.Layout.Key(alice)
	var body bytes.Buffer
	o, err := x.w.Bucket.Get(t.Context(), key, "", &body)
	if err != nil {
		t.Fatal(err)
	}
	y := &walk{t, world.New(t.TempDir())}
	opts := userdb.PutOptions{IfNoneMatch: true, Metadata: o.Metadata}
	etag, err := y.w.Bucket.Put(t.Context(), key, bytes.NewReader(body.Bytes()), int64(body.Len()), opts)
	if err != nil {
		t.Fatal(err)
	}
	e := y.engine()
	m, err := e.Inspect().ForeignMark(t.Context(), alice)
	if err != nil || m == nil || m.HotOf == 0 {
		t.Fatalf("%+v, %v", m, err)
	}
	r := e.Rollback(t.Context(), alice, migrate.RollbackOptions{EndForeignMark: m, NamedOnly: true})
	if userdb.KindOf(r.Err()) != userdb.Conflict || !strings.Contains(r.Err().Error(), "hot rows") {
		t.Errorf("%s, %v", r.Outcome, r.Err())
	}
	if now, err := y.w.Bucket.Head(t.Context(), key); err != nil || now.ETag != etag {
		t.Errorf("it changed: %v", err)
	}
	r = e.Rollback(t.Context(), alice, migrate.RollbackOptions{EndForeignMark: m})
	if mustDo(t, r, result.OutcomeLifted); !strings.Contains(r.Reason, "only the hot rows") {
		t.Error(r.Reason)
	}
}
