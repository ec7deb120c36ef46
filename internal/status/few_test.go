package status

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Who serves a user is said in words, and what stands in the way with its way out.
func TestWhereAUserIs(t *testing.T) {
	for want, s := range map[string]inspect.State{
		"ann: served by the file":                                          {Serves: userfile.SideFile, File: "plain"},
		"ann: served by the object":                                        {Serves: userfile.SideObject, File: "fenced"},
		"ann: served by file and object":                                   {Serves: userfile.SideSplit, File: "fenced"},
		"ann: no file, and nothing in the Durable Object":                  {Serves: userfile.SideUnknown, File: "none", Phase: userdb.Empty},
		"ann: no side takes writes: sealed (next: dbmigrate rollback ann)": {Serves: userfile.SideNone, File: "fenced", Problem: "sealed", Next: "dbmigrate rollback ann"},
	} {
		s.User = "ann"
		if got := (Line{State: s, Source: sourceSides}).where(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// silentStores are Durable Objects that do not answer.
type silentStores struct{ migrate.Stores }

func (silentStores) Status(ctx context.Context, _ userdb.UserID) (s wire.Status, err error) {
	<-ctx.Done()
	return s, ctx.Err()
}

// A Worker that does not answer costs the time that it was given, for any number of users.
func TestFewAreAskedInBoundedTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		begun := time.Now()
		users := slices.Repeat([]userdb.UserID{"ann"}, 20)
		where, unasked := Few(ctx, &migrate.Engine{Stores: silentStores{}, Concurrency: 2}, users)
		if took := time.Since(begun); len(where) != 0 || unasked != 20 || took > 4*time.Second {
			t.Errorf("%q, %d not asked, after %v", where, unasked, took)
		}
	})
}
