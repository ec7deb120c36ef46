package selection

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// TestToPercentIsTheOppositeOfPercent divides the same users as migrate --percent does, into those who stay
// and those who go.
func TestToPercentIsTheOppositeOfPercent(t *testing.T) {
	var all []inspect.Found
	for i := range 1000 {
		all = append(all, inspect.Found{User: userdb.UserID(fmt.Sprint("user-", i))})
	}
	for _, percent := range []float64{0, 10, 37.5, 99.9, 100} {
		wave := Set{options: Options{Percent: Percent{Of: percent, Given: true}}}
		back := Set{options: Options{ToPercent: Percent{Of: percent, Given: true}}}
		for _, f := range all {
			if back.takes(f) == wave.takes(f) {
				t.Fatalf("at %v percent %s is on both sides, or on none", percent, f.User)
			}
		}
	}
}

func TestRunsBegin(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	hour := units.AgeFlag{Duration: time.Hour, Typed: "1h"}
	for _, c := range []struct {
		h    Options
		want string
	}{
		{Options{Run: "20261126T031500Z-9f3c21aa"}, "2026-11-26T02:15:00Z"},
		{Options{Since: hour}, "2026-11-26T10:00:00Z"},
		{Options{Since: hour, Run: "20261126T031500Z-9f3c21aa"}, "2026-11-26T10:00:00Z"},
		{Options{Run: "by-hand"}, "0001-01-01T00:00:00Z"}, // it says no time: every receipt is looked at
	} {
		if got := c.h.began(now).Format(time.RFC3339); got != c.want {
			t.Errorf("run %q since %q: %s, want %s", c.h.Run, c.h.Since.Typed, got, c.want)
		}
	}
}

// TestShardsAreKnownHoweverUsersAreChosen: the budget of API calls is divided among the shards.
func TestShardsAreKnownHoweverUsersAreChosen(t *testing.T) {
	since := units.AgeFlag{Duration: time.Hour, Typed: "1h"}
	for _, o := range []Options{{All: true}, {Since: since}, {Run: "r"}, {OrAll: true}, {ToPercent: Percent{Of: 5, Given: true}}} {
		if set, err := o.Parse(nil, nil); err != nil || set.Shards() != 1 {
			t.Errorf("%+v: %v", o, err)
		}
		o.Shard = "3/16"
		if set, err := o.Parse(nil, nil); err != nil || set.Shards() != 16 {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// flagless is a fleet without flags that can be read: everybody is still under the claim of a record.
type flagless struct{ Scanner }

func (flagless) Moved(_ context.Context, _ inspect.ScanOptions, _ time.Time) ([]inspect.Found, error) {
	return nil, nil
}

func (flagless) Recorded(_ context.Context, u userdb.UserID, _ userdb.Claim, meta userdb.FlagMeta) (inspect.Found, bool, error) {
	return inspect.Found{User: u, Flag: meta}, true, nil
}

// TestOnlyARunThatMovesNamesUsers: the record of a verify has claims, too, and chooses nobody for a rollback.
func TestOnlyARunThatMovesNamesUsers(t *testing.T) {
	const run = "20261126T031500Z-9f3c21aa"
	for action, found := range map[string]int{"migrate": 1, "restore": 1, "thaw": 1, "verify": 0, "rollback": 0} {
		lines := fmt.Sprintf(`{"begin":{"record":1,"run":"%s","action":"%s","at":1795665600000,"bucket":"b","layout":"l","users":1}}`+"\n"+
			`{"user":"alice","action":"%[2]s","outcome":"done","claim":1}`+"\n", run, action)
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "run-"+run+".jsonl"), []byte(lines), 0o600); err != nil {
			t.Fatal(err)
		}
		set, err := Options{Run: run, Records: func() (*record.Place, error) {
			return &record.Place{Files: world.NewBucket(), Dir: dir, Bucket: "b", Now: time.Now}, nil
		}}.Parse(nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		set.FlagsUnread = true
		if users, err := set.Resolve(t.Context(), flagless{}); err != nil || len(users) != found {
			t.Errorf("%s: found %v, %v", action, users, err)
		}
	}
}
