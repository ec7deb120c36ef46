package simulation

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// TestOldPathThatGoesOn: an old path overwrites the fence every 700 ms, for some time. The move begins again
// each time, and either ends behind the last one or gives up when it is told that no flag is so old; then the
// file is the old path's again.
func TestOldPathThatGoesOn(t *testing.T) {
	procedure := migrate.Procedure{
		Writers:        migrate.WritersUnconditional,
		KVWindow:       20 * time.Second,
		LongestRequest: 5 * time.Second,
	}
	for name, c := range map[string]struct {
		stale time.Duration // for so long the old path does not see the flag
		want  result.Outcome
	}{
		"until it sees the flag":        {stale: 10 * time.Second, want: result.OutcomeMigrated},
		"for longer than was said":      {stale: 10 * time.Minute, want: result.OutcomeFailed},
		"not, since nobody writes then": {want: result.OutcomeMigrated},
	} {
		t.Run(name, func(t *testing.T) {
			scratch := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				l := &life{World: world.New(scratch), written: newWitness()}
				if err := l.write(l.router("calm", 0, world.Trouble{}), "first"); err != nil {
					t.Fatal(err)
				}
				done := make(chan struct{})
				begun := time.Now()
				go l.overwrite(t, done, func() bool { return time.Since(begun) < c.stale })
				e := l.OverLine("operator", world.NewLine(l.dice("line", 0), world.Trouble{}, &l.late))
				e.Procedure = procedure
				var ended result.Result
				fleet.Each(
					t.Context(),
					e,
					[]userdb.UserID{user},
					result.ActionMigrate,
					e.Migrate,
					func(r result.Result) { ended = r },
				)
				close(done)
				if ended.Outcome != c.want || ended.Open {
					t.Errorf("%s, open %v: %v", ended.Outcome, ended.Open, ended.Err())
				}
				if failed := ended.Err(); failed != nil &&
					!strings.Contains(failed.Error(), "overwrote every fence") {
					t.Error(failed)
				}
				if _, flagged := l.flag(t); flagged != (c.want == result.OutcomeMigrated) {
					t.Errorf("flagged: %v", flagged)
				}
				if _, err := l.read(l.router("calm", 1, world.Trouble{})); err != nil || len(l.broken) > 0 {
					t.Errorf("%v, %v", err, l.broken)
				}
			})
		})
	}
}

func (l *life) flag(t *testing.T) (userdb.Flag, bool) {
	flags, err := l.Flags.Get(t.Context(), []userdb.UserID{user})
	if err != nil {
		t.Error(err)
	}
	f, flagged := flags[user]
	return f, flagged
}

// overwrite saves again and again what was loaded while the file was not fenced, without a condition.
func (l *life) overwrite(t *testing.T, done <-chan struct{}, goesOn func() bool) {
	key := l.Layout.Key(user)
	for goesOn() {
		var loaded strings.Builder
		if _, err := l.Bucket.Get(context.Background(), key, "", &loaded); err != nil {
			t.Error(err)
		}
		mark, err := userdb.ParseMark([]byte(loaded.String()))
		if err != nil {
			t.Error(err)
		}
		select {
		case <-done:
			return
		case <-time.After(700 * time.Millisecond):
		}
		if mark.Kind != userdb.FenceMark {
			saved := strings.NewReader(loaded.String())
			if _, err := l.Bucket.Put(context.Background(), key, saved, int64(saved.Len()), userdb.PutOptions{}); err != nil {
				t.Error(err)
			}
		}
	}
}
