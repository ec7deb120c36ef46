package migrate

import (
	"context"
	"strconv"
	"strings"
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
)

// announceFence asks routers to hold the saves of a user's file for one attempt, and returns when they know.
// Nothing depends on it but that the attempt wins, so a failure says nothing.
func (e *Engine) announceFence(ctx context.Context, u userdb.UserID) (withdraw func()) {
	e.observe(result.Event{User: u, Stage: result.StageBusy})
	key := fencingFolder + e.Layout.Key(u)
	hold := strconv.FormatInt(announcedFor.Milliseconds(), 10)
	_, err := e.Files.Put(ctx, key, strings.NewReader(""), 0,
		userdb.PutOptions{Metadata: map[string]string{"dbmigrate-hold-ms": hold}})
	if err != nil {
		return func() {}
	}
	pause(ctx, noticedAfter)
	return func() { _ = reserved.Delete(context.WithoutCancel(ctx), e.Files, key) } // its time ends it, too
}
