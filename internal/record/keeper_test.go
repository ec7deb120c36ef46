package record

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// kept begins a record and its keeper, over a bucket that counts what travels. The record has a line of so
// many bytes.
func kept(t *testing.T, padding int, files Files) (*Writer, *Keeper) {
	t.Helper()
	w, err := Create(t.TempDir(), begin("1", 3))
	if err != nil {
		t.Fatal(err)
	}
	if padding > 0 {
		w.User(time.Now(), map[string]string{"reason": strings.Repeat("x", padding)})
	}
	return w, Keep(w, files, func(err error) { t.Log(err) })
}

// counted counts the copies and their bytes; each takes so long, or until its caller gives up.
type counted struct {
	*bucket
	takes  time.Duration
	copies int
	bytes  int64
}

func (c *counted) Put(
	ctx context.Context, key userdb.ObjectKey, body io.ReadSeeker, size int64, opts userdb.PutOptions,
) (userdb.ETag, error) {
	c.copies++
	c.bytes += size
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case <-time.After(c.takes):
	}
	return c.bucket.Put(ctx, key, body, size, opts)
}

// inFlight is who is in flight by the copy alone, and how old that is.
func (c *counted) inFlight(t *testing.T) ([]userdb.UserID, time.Duration) {
	t.Helper()
	run, err := (&Place{Files: c, Bucket: "b", Now: time.Now}).Load(t.Context(), "1", nil)
	if err != nil {
		t.Fatal(err)
	}
	return run.InFlight(), run.CopyAge
}

// A user who is begun is in the copy 5 seconds later, whenever it was. Without news there is a copy a minute.
func TestWhoIsBegunIsCopiedSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := &counted{bucket: newBucket()}
		w, k := kept(t, 0, files)
		defer k.End()
		for i, pause := range []time.Duration{0, 0, 50 * time.Second, time.Second, 3 * time.Minute} {
			time.Sleep(pause)
			w.Begun(userdb.UserID("user-" + string(rune('a'+i))))
			time.Sleep(copySoon + time.Millisecond)
			if users, age := files.inFlight(t); len(users) != i+1 || age > copySoon+time.Millisecond {
				t.Errorf("%d of %d users are in the copy, which is %v old", len(users), i+1, age)
			}
		}
		before := files.copies
		if time.Sleep(10 * time.Minute); files.copies-before > 10 {
			t.Errorf("%d copies in 10 minutes without news", files.copies-before)
		}
	})
}

// A record with news at every moment travels at most as often as its size allows.
func TestCopiesOfLargeRecordsAreFew(t *testing.T) {
	const minutes = 3
	for _, size := range []int{100 << 10, 1 << 20, 4 << 20} {
		synctest.Test(t, func(t *testing.T) {
			files := &counted{bucket: newBucket()}
			w, k := kept(t, size, files)
			synctest.Wait()
			first := files.bytes
			for range minutes * 60 {
				w.Begun("ann")
				time.Sleep(time.Second)
			}
			aMinute := (files.bytes - first) / minutes
			if most := max(12*smallRecord, int64(size)); aMinute > most*11/10 {
				t.Errorf("%d bytes: %d bytes a minute, at most %d", size, aMinute, most)
			}
			k.End()
		})
	}
}

// A bucket that hangs holds up no line, and the end no longer than it may.
func TestADeadBucketHoldsUpNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := &counted{bucket: newBucket(), takes: time.Hour}
		w, k := kept(t, 0, files)
		begun := time.Now()
		for range 1000 {
			w.Begun("ann")
		}
		if held := time.Since(begun); held > 0 {
			t.Errorf("lines were held up for %v", held)
		}
		if time.Sleep(30 * time.Minute); files.copies != 1 {
			t.Errorf("%d copies at once", files.copies)
		}
		ends := time.Now()
		if k.End(); time.Since(ends) > lastCopy {
			t.Errorf("the end took %v", time.Since(ends))
		}
	})
}

// A bucket that refuses after a while is asked less often: a fifth of the time at most. One copy more may
// begin at the very moment in which the time ends.
func TestASlowBucketIsSpared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		files := &counted{bucket: newBucket(), takes: 10 * time.Second}
		files.fail = errors.New("HTTP 503")
		w, k := kept(t, 0, files)
		for range 600 {
			w.Begun("ann")
			time.Sleep(time.Second)
		}
		if files.copies > 12+1 {
			t.Errorf("%d copies of 10 seconds in 10 minutes", files.copies)
		}
		k.End()
	})
}
