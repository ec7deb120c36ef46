package migrate

import (
	"context"
	"io/fs"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// TestFullDiskSealsNobody: a rollback without room for its copies refuses before the claim, and says that the
// run is to stop.
func TestFullDiskSealsNobody(t *testing.T) {
	fenced, err := userdb.WithFence(header(), 5, 5, make([]byte, userdb.MarkRandomBytes))
	if err != nil {
		t.Fatal(err)
	}
	m := newMemory()
	m.put("alice/database.sqlite", fenced, time.Now())
	object := m.objects["alice/database.sqlite"]
	object.ETag = `"fenced"`
	m.objects["alice/database.sqlite"] = object
	e := m.engine(t)
	claims := new(atomic.Int64)
	e.Stores, e.freeOn = counting{
		serving{},
		claims,
	}, func(string) (int64, error) { return int64(len(fenced)) - 1, nil }
	r := e.Rollback(t.Context(), "alice", RollbackOptions{})
	if userdb.KindOf(r.Err()) != userdb.NoSpace || !r.StopsRun || r.Open || claims.Load() != 0 {
		t.Errorf("%v, stops the run %v, open %v, %d claims", r.Err(), r.StopsRun, r.Open, claims.Load())
	}
}

// TestRoomIsWaitedFor: a user who has to wait for the room of others gets it when they end.
func TestRoomIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diskSpace
		free := func() (int64, error) { return 10, nil }
		release, err := d.reserve(7, free)
		if err != nil {
			t.Fatal(err)
		}
		got := make(chan error, 1)
		go func() {
			_, err := d.reserve(5, free)
			got <- err
		}()
		synctest.Wait()
		if len(got) > 0 {
			t.Error("nobody waited, and there is no room")
		}
		release()
		if err := <-got; err != nil {
			t.Error(err)
		}
	})
}

// counting counts the claims.
type counting struct {
	serving
	claims *atomic.Int64
}

func (c counting) Claim(ctx context.Context, u userdb.UserID, req wire.ClaimRequest) (wire.Claimed, error) {
	c.claims.Add(1)
	return c.serving.Claim(ctx, u, req)
}

// fullAt answers with a full disk, as whatever a split writes first would.
type fullAt struct{ serving }

func (fullAt) Status(context.Context, userdb.UserID) (wire.Status, error) {
	return wire.Status{}, &fs.PathError{Op: "write", Path: "/scratch/spool.sqlite", Err: syscall.ENOSPC}
}

// TestFullDiskStopsASplitFleet: nobody after that user is begun. Where there is room, the user was too large.
func TestFullDiskStopsASplitFleet(t *testing.T) {
	for free, stops := range map[int64]bool{0: true, fitsAnywhere: false} {
		e := newMemory().engine(t)
		e.Stores, e.freeOn = fullAt{}, func(string) (int64, error) { return free, nil }
		r := e.Split(t.Context(), "alice", SplitOptions{})
		if userdb.KindOf(r.Err()) != userdb.NoSpace || r.StopsRun != stops {
			t.Errorf("%d bytes free: stops the run %v: %v", free, r.StopsRun, r.Err())
		}
	}
}
