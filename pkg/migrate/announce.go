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
	// announcedAtMost ends the renewals of a command: requests that waited so long were told to come again.
	announcedAtMost = 30 * time.Second
)

// announcer announces the fences of one command. A command that turns back goes on with it.
type announcer struct {
	*Engine
	user userdb.UserID
	left time.Duration // for which announcements may still be renewed
	on   bool          // routers hold saves
}

func (e *Engine) announcer(u userdb.UserID) *announcer {
	return &announcer{Engine: e, user: u, left: announcedAtMost}
}

// announce asks routers to hold the saves of the user's file for one attempt, and returns when they know.
// Nothing depends on it but that the attempt wins, so a failure says nothing. Within an attempt that is
// announced it does nothing.
//
// The hold of a first announcement ends by its time, so that a request waits no longer than it is willing to.
// Where requests to the bucket take seconds, no attempt fits into that: after a lost one, the announcement is
// renewed for as long as the attempt takes, while the command has time left for it.
func (a *announcer) announce(ctx context.Context, lostOne bool) (withdraw func()) {
	if a.on {
		return func() {}
	}
	a.on = true
	a.observe(result.Event{User: a.user, Stage: result.StageBusy})
	stopRenewing := func() {}
	if lostOne {
		stopRenewing = a.renew(ctx)
	}
	announced := a.put(ctx) == nil
	if announced {
		pause(ctx, noticedAfter)
	}
	return func() {
		a.on = false
		stopRenewing()
		if announced {
			_ = reserved.Delete(context.WithoutCancel(ctx), a.Files, a.key()) // its time ends it, too
		}
	}
}

func (a *announcer) key() userdb.ObjectKey { return a.fencingKey(a.user) }

func (e *Engine) fencingKey(u userdb.UserID) userdb.ObjectKey { return fencingFolder + e.Layout.Key(u) }

func (a *announcer) put(ctx context.Context) error {
	hold := strconv.FormatInt(announcedFor.Milliseconds(), 10)
	_, err := a.Files.Put(ctx, a.key(), strings.NewReader(""), 0,
		userdb.PutOptions{Metadata: map[string]string{"dbmigrate-hold-ms": hold}})
	return err
}

// renew goes on until stop, which waits for it: a renewal behind the withdrawal would hold saves for nothing.
// A renewal does not wait for the one before, which may take longer than a hold.
//
// stop cancels PUTs that are under way, and R2 may take one all the same, behind the withdrawal. Then saves
// are held once more for announcedFor. The object stays until the user is announced again or deleted, and
// means nothing.
func (a *announcer) renew(ctx context.Context) (stop func()) {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.left)
	var renewals sync.WaitGroup
	renewals.Go(func() {
		for pause(ctx, announcedAgain) {
			renewals.Go(func() { _ = a.put(ctx) })
		}
	})
	return func() {
		cancel()
		renewals.Wait()
		a.left -= time.Since(begun)
	}
}
