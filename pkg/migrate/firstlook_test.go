package migrate

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// changing is a bucket in which something happens before the second range is read: a first look is one range
// here, and then comes the look at the mark.
type changing struct {
	memoryFiles
	between func()
}

func (c changing) GetRange(
	ctx context.Context,
	key userdb.ObjectKey,
	ifMatch userdb.ETag,
	offset, length int64,
) ([]byte, userdb.Object, error) {
	if c.calls["R2 get"] == 1 {
		c.between()
	}
	return c.memoryFiles.GetRange(ctx, key, ifMatch, offset, length)
}

// Only what is certain of the version that was judged, and of a file that dbmigrate left no mark on, is
// refused before it is read.
func TestRefuseUnread(t *testing.T) {
	const key = userdb.ObjectKey("alice/database.sqlite")
	noise := bytes.Repeat([]byte("no SQLite file, "), 8192)
	change := func(w *memory, f func(*userdb.Object)) {
		o := w.objects[key]
		f(&o)
		w.objects[key] = o
	}
	for name, c := range map[string]struct {
		before  func(*memory)
		between func(*memory)
		want    userdb.Kind
	}{
		"no SQLite file": {want: userdb.NotSQLite},
		"more than a PUT takes": {want: userdb.Blocked, before: func(w *memory) {
			change(w, func(o *userdb.Object) { o.Size = userfile.MaxPutBytes + 1 })
		}},
		"another version meanwhile": {between: func(w *memory) { w.put(key, noise, time.Now().Add(time.Hour)) }},
		"deleted meanwhile":         {between: func(w *memory) { delete(w.objects, key) }},
		"the hot rows of a split user": {before: func(w *memory) {
			change(w, func(o *userdb.Object) { o.Metadata = map[string]string{"dbmigrate-split": "7"} })
		}},
	} {
		t.Run(name, func(t *testing.T) {
			w := newMemory()
			w.put(key, noise, time.Now())
			if c.before != nil {
				c.before(w)
			}
			e := w.engine(t)
			e.Files = changing{memoryFiles{nil, w}, func() {
				if c.between != nil {
					c.between(w)
				}
			}}
			m := &migration{Engine: e, user: "alice", fences: e.announcer("alice"), result: &result.Result{}}
			judged := w.objects[key]
			err := m.refuseUnread(t.Context())
			if userdb.KindOf(err) != c.want || m.result.Unfit != (c.want != "") {
				t.Fatalf("%v, unfit %v", err, m.result.Unfit)
			}
			if err != nil && (m.result.ETag != judged.ETag || m.result.Bytes != judged.Size) {
				t.Errorf("the account is of %s with %d bytes", m.result.ETag, m.result.Bytes)
			}
		})
	}
}
