package migrate_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// busyFile is a bucket that takes its time for each request, announcements included, and an application that
// saves the file all the time, and whenever somebody else is about to, but for while a fence is announced. It
// sees an announcement a second late.
type busyFile struct {
	migrate.Files
	mu        sync.Mutex
	bucket    *world.Bucket
	key       userdb.ObjectKey
	takes     time.Duration
	from, end time.Time // of the hold that was announced last
	saved     int
	deaf      bool // the application knows no announcements
	asked     int  // announcements
}

func (b *busyFile) Get(ctx context.Context, key userdb.ObjectKey, ifMatch userdb.ETag, w io.Writer) (userdb.Object, error) {
	time.Sleep(b.takes)
	return b.Files.Get(ctx, key, ifMatch, w)
}

func (b *busyFile) Put(ctx context.Context, key userdb.ObjectKey, body io.ReadSeeker, size int64, opts userdb.PutOptions) (userdb.ETag, error) {
	time.Sleep(b.takes)
	if strings.HasPrefix(string(key), userdb.ReservedPrefix+"fencing/") {
		b.announced(opts)
		return b.Files.Put(ctx, key, body, size, opts)
	}
	if key == b.key {
		b.save(ctx)
	}
	return b.Files.Put(ctx, key, body, size, opts)
}

func (b *busyFile) announced(opts userdb.PutOptions) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked++
	now := time.Now()
	if now.After(b.end) {
		b.from = now.Add(time.Second)
	}
	ms, _ := strconv.Atoi(opts.Metadata["dbmigrate-hold-ms"])
	b.end = now.Add(time.Duration(ms) * time.Millisecond)
}

// save counts the file's changes, as SQLite does at each write. Nobody saves over a fence.
func (b *busyFile) save(ctx context.Context) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := time.Now(); !b.deaf && now.After(b.from) && now.Before(b.end) {
		return
	}
	var content bytes.Buffer
	if _, err := b.bucket.Get(ctx, b.key, "", &content); err != nil || userdb.Locked(content.Bytes()) {
		return
	}
	b.saved++
	counter := binary.BigEndian.AppendUint32(nil, uint32(1_000+b.saved))
	copy(content.Bytes()[24:], counter)
	copy(content.Bytes()[92:], counter)
	_, _ = b.bucket.Put(ctx, b.key, bytes.NewReader(content.Bytes()), int64(content.Len()), userdb.PutOptions{})
}

// saveAllTheTime ends with ctx.
func (b *busyFile) saveAllTheTime(ctx context.Context) {
	for ctx.Err() == nil {
		time.Sleep(200 * time.Millisecond)
		b.save(ctx)
	}
}

// abandonMigration leaves a claim behind, and a file without a fence: the rollback stamps it.
func abandonMigration(t *testing.T, w *world.World) {
	t.Helper()
	claim := wire.ClaimRequest{Intent: wire.IntentMigrate, ID: "00000000000000000000000000000001"}
	if _, err := w.Objects.Claim(t.Context(), alice, claim); err != nil {
		t.Fatal(err)
	}
}

// beginSplit leaves hot rows in the file, which the rollback fences before it merges.
func beginSplit(t *testing.T, w *world.World) {
	t.Helper()
	opts := migrate.SplitOptions{Policy: policyOf(t, "a < 100"), At: time.Unix(1_800_000_000, 0)}
	r := w.Engine("run", w.Bucket, w.Objects, w.Objects).Split(t.Context(), alice, opts)
	if r.Err() != nil || r.Outcome != result.OutcomeSplit {
		t.Fatal(r.Outcome, r.Err())
	}
}

// TestABusyFileIsTakenInTheEnd: an application that is faster each time holds its saves when it is asked to,
// for as long as an attempt takes, however slow the bucket is.
func TestABusyFileIsTakenInTheEnd(t *testing.T) {
	for name, begin := range map[string]func(t *testing.T, w *world.World){
		"lift":  abandonMigration,
		"merge": beginSplit,
	} {
		for _, takes := range []time.Duration{0, time.Second, 3 * time.Second} {
			t.Run(name+", each request takes "+takes.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w, key, _ := oneUser(t)
					begin(t, w)
					busy := &busyFile{Files: w.Bucket, bucket: w.Bucket, key: key, takes: takes}
					ctx, stop := context.WithCancel(t.Context())
					var saving sync.WaitGroup
					saving.Go(func() { busy.saveAllTheTime(ctx) })
					defer saving.Wait()
					defer stop()
					e := world.Stepwise(w.Engine("run", busy, w.Objects, w.Objects))
					e.MarkBytes = 0 // the operator puts stamps and fences
					r := e.Rollback(t.Context(), alice, migrate.RollbackOptions{})
					if r.Err() != nil || r.Open {
						t.Errorf("%s, open %t: %v", r.Outcome, r.Open, r.Err())
					}
					if busy.saved == 0 {
						t.Error("the application never was faster")
					}
				})
			})
		}
	}
}

// TestAFenceIsAnnouncedForALimitedTime: a command renews announcements for half a minute in all, however many
// attempts it loses. A renewal comes every two seconds. A merge begins seven attempts with an announcement,
// and then six that open both halves again.
func TestAFenceIsAnnouncedForALimitedTime(t *testing.T) {
	const most = 30/2 + 7 + 6
	for name, begin := range map[string]func(t *testing.T, w *world.World){
		"lift":  abandonMigration,
		"merge": beginSplit,
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, key, _ := oneUser(t)
				begin(t, w)
				busy := &busyFile{Files: w.Bucket, bucket: w.Bucket, key: key, takes: 3 * time.Second, deaf: true}
				e := world.Stepwise(w.Engine("run", busy, w.Objects, w.Objects))
				e.MarkBytes = 0 // the operator puts stamps and fences
				r := e.Rollback(t.Context(), alice, migrate.RollbackOptions{})
				if userdb.KindOf(r.Err()) != userdb.Precondition || r.Open || strings.Contains(r.Err().Error(), "writes wait") {
					t.Errorf("%s, open %t: %v", r.Outcome, r.Open, r.Err())
				}
				if busy.asked < 8 || busy.asked > most {
					t.Errorf("announced %d times, and at most %d are right", busy.asked, most)
				}
			})
		})
	}
}

// refusesFile is a bucket where every PUT of the file loses its race.
type refusesFile struct {
	*busyFile
	lost int
}

func (r *refusesFile) Put(ctx context.Context, key userdb.ObjectKey, body io.ReadSeeker, size int64, opts userdb.PutOptions) (userdb.ETag, error) {
	if key == r.key {
		r.lost++
		return "", &userdb.Error{Op: "put", Thing: string(key), Kind: userdb.Precondition}
	}
	return r.busyFile.Put(ctx, key, body, size, opts)
}

// TestAFencedFileIsNotAnnounced: no application writes it, so nobody has to hold a save.
func TestAFencedFileIsNotAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, key, _ := oneUser(t)
		if r := w.Engine("run", w.Bucket, w.Objects, w.Objects).Migrate(t.Context(), alice); r.Err() != nil {
			t.Fatal(r.Err())
		}
		refuses := &refusesFile{busyFile: &busyFile{Files: w.Bucket, bucket: w.Bucket, key: key}}
		e := world.Stepwise(w.Engine("run", refuses, w.Objects, w.Objects))
		e.MarkBytes = 0
		if r := e.Rollback(t.Context(), alice, migrate.RollbackOptions{}); userdb.KindOf(r.Err()) != userdb.Precondition {
			t.Errorf("%s: %v", r.Outcome, r.Err())
		}
		if refuses.lost < 8 || refuses.asked != 0 {
			t.Errorf("%d attempts lost, %d announcements", refuses.lost, refuses.asked)
		}
	})
}
