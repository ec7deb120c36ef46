package migrate_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// otherBuckets are what the operator's bucket holds that is not the Worker's.
func otherBuckets() map[string]func(*walk, *world.Bucket) {
	copied := func(x *walk, other *world.Bucket, image []byte) {
		x.Helper()
		opts := userdb.PutOptions{}
		if _, err := other.Put(x.Context(), x.w.Layout.Key(alice), bytes.NewReader(image), int64(len(image)), opts); err != nil {
			x.Fatal(err)
		}
	}
	return map[string]func(*walk, *world.Bucket){
		"a copy":         func(x *walk, other *world.Bucket) { copied(x, other, x.image()) },
		"an older state": func(x *walk, other *world.Bucket) { copied(x, other, x.image()); x.write() },
		"a user more": func(x *walk, other *world.Bucket) {
			copied(x, other, x.image())
			_ = x.w.Bucket.Delete(x.Context(), x.w.Layout.Key(alice))
		},
	}
}

// An operator with another bucket than the Worker's would fence a file that no router looks at, and open the
// object beside a file that serves. So each command that puts a file asks the Worker first what it sees.
func TestAnotherBucketIsRefused(t *testing.T) {
	commands := map[string]command{
		"migrate": commandsOfOthers()["migrate"], "split": commandsOfOthers()["split"],
		"forget": func(_ *walk, ctx context.Context, e *migrate.Engine) result.Result { return forget(ctx, e) },
		"restore": func(x *walk, ctx context.Context, e *migrate.Engine) result.Result {
			return x.restore(ctx, e, x.image())
		},
	}
	for holds, prepare := range otherBuckets() {
		for name, run := range commands {
			if name == "restore" && holds == "a user more" {
				continue // there is nothing to restore from
			}
			for size, markBytes := range map[string]int64{"": 1 << 20, ", too large for the Worker": 1} {
				t.Run(name+", "+holds+size, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						x := newWalk(t)
						other := world.NewBucket()
						time.Sleep(time.Minute)
						prepare(x, other)
						before := x.bothSides()
						e := x.w.Engine("run", other, x.w.Objects, x.w.Objects)
						e.MarkBytes = markBytes
						r := run(x, t.Context(), e)
						if userdb.KindOf(r.Err()) != userdb.Usage || r.Open || !r.StopsRun {
							t.Errorf("%s, open %v, stops the run %v: %v", r.Outcome, r.Open, r.StopsRun, r.Err())
						}
						if after := x.bothSides(); after != before {
							t.Errorf("the user had %s, and has %s", before, after)
						}
					})
				})
			}
		}
	}
}

// bothSides is what the user's requests meet: the file that the router looks at, and whether the object has
// rows.
func (x *walk) bothSides() string {
	x.Helper()
	st, err := x.w.Objects.Status(x.Context(), alice)
	if err != nil {
		x.Fatal(err)
	}
	object, err := x.w.Bucket.Head(x.Context(), x.w.Layout.Key(alice))
	if err != nil && userdb.KindOf(err) != userdb.NotFound {
		x.Fatal(err)
	}
	return fmt.Sprintf("file %s, object without rows: %v", object.ETag, userfile.HoldsNothing(st.Phase))
}
