package migrate

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/reserved"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// fencingFolder holds the announcements of fences that have lost a race. worker/src/router/announced.ts reads
// and writes the same.
const fencingFolder = userdb.ReservedPrefix + "fencing/"

const (
	// announcedFor is how long routers hold a user's saves: less than a request waits by default.
	announcedFor = 3500 * time.Millisecond
	// noticedAfter is when every router that has to has seen the announcement.
	noticedAfter = 1500 * time.Millisecond
	// announcedAgain is how often an announcement is renewed, well before it ends.
	announcedAgain = 2 * time.Second
	// announcedAtMost ends the renewals: requests that waited for so long were told to come again.
	announcedAtMost = 30 * time.Second
)

// announceFence asks routers to hold the saves of a user's file for one attempt, and returns when they know.
// Nothing depends on it but that the attempt wins, so a failure says nothing.
//
// The hold of a first announcement ends by its time, so that a request waits no longer than it is willing to.
// Where requests to the bucket take seconds, no attempt fits into that: after a lost one, the announcement is
// renewed for as long as the attempt takes.
func (e *Engine) announceFence(ctx context.Context, u userdb.UserID, lostOne bool) (withdraw func()) {
	e.observe(result.Event{User: u, Stage: result.StageBusy})
	key := fencingFolder + e.Layout.Key(u)
	stopRenewing := func() {}
	if lostOne {
		stopRenewing = e.renewAnnouncement(ctx, key)
	}
	if e.putAnnouncement(ctx, key) != nil {
		stopRenewing()
		return func() {}
	}
	pause(ctx, noticedAfter)
	return func() {
		stopRenewing()
		_ = reserved.Delete(context.WithoutCancel(ctx), e.Files, key) // its time ends it, too
	}
}

func (e *Engine) putAnnouncement(ctx context.Context, key userdb.ObjectKey) error {
	hold := strconv.FormatInt(announcedFor.Milliseconds(), 10)
	_, err := e.Files.Put(ctx, key, strings.NewReader(""), 0,
		userdb.PutOptions{Metadata: map[string]string{"dbmigrate-hold-ms": hold}})
	return err
}

// renewAnnouncement goes on until stop, which waits for it: a renewal behind the withdrawal would hold saves
// for nothing. A renewal does not wait for the one before, which may take longer than a hold.
func (e *Engine) renewAnnouncement(ctx context.Context, key userdb.ObjectKey) (stop func()) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), announcedAtMost)
	var renewals sync.WaitGroup
	renewals.Go(func() {
		for pause(ctx, announcedAgain) {
			renewals.Go(func() { _ = e.putAnnouncement(ctx, key) })
		}
	})
	return func() {
		cancel()
		renewals.Wait()
	}
}
