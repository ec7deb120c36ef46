package selection

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
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

// cameBack is a fleet without anybody who left R2; but for those that are still under the claim of a record.
type cameBack struct {
	Scanner
	still map[userdb.UserID]bool
}

func (cameBack) Moved(context.Context, inspect.ScanOptions, time.Time) ([]inspect.Found, error) {
	return nil, nil
}

func (c cameBack) Recorded(_ context.Context, u userdb.UserID, _ userdb.Claim, meta userdb.FlagMeta) (inspect.Found, bool, error) {
	return inspect.Found{User: u, Flag: meta}, c.still[u], nil
}

// TestARunThatIsBackIsNothingToDo: a rollback by a script that is repeated ends as the first one did. A run
// that nobody knows, or one that may have moved somebody who is not in its record, is told.
func TestARunThatIsBackIsNothingToDo(t *testing.T) {
	const (
		ended = "20261126T031500Z-9f3c21aa"
		begin = `{"begin":{"record":1,"run":"` + ended + `","action":"migrate","at":1795665600000,"bucket":"b","layout":"l","users":2}}` + "\n"
		alice = `{"user":"alice","action":"migrate","outcome":"migrated","claim":1}` + "\n"
		end   = `{"end":{"at":1795665608123,"summary":{"action":"migrate","run":"` + ended + `","users":1,"outcomes":{"migrated":1}}}}` + "\n"
	)
	for name, c := range map[string]struct {
		record, run, prefix string
		still               map[userdb.UserID]bool
		found               int
		refused             bool
	}{
		"all are back":             {record: begin + alice + end, run: ended},
		"nobody of the prefix":     {record: begin + alice + end, run: ended, prefix: "b", refused: true},
		"one has lost the receipt": {record: begin + alice + end, run: ended, still: map[userdb.UserID]bool{"alice": true}, found: 1},
		"it was killed":            {record: begin + `{"begun":"bob"}` + "\n" + alice, run: ended, refused: true},
		"it moved nobody":          {record: begin + end, run: ended, refused: true},
		"it rolled back":           {record: strings.ReplaceAll(begin+alice+end, `"migrate"`, `"rollback"`), run: ended, refused: true},
		"it is of another bucket":  {record: strings.ReplaceAll(begin+alice+end, `"bucket":"b"`, `"bucket":"c"`), run: ended, refused: true},
		"nobody knows it":          {record: begin + alice + end, run: "20261126T031500Z-00000000", refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "run-"+ended+".jsonl"), []byte(c.record), 0o600); err != nil {
				t.Fatal(err)
			}
			set, err := Options{Run: c.run, Prefix: c.prefix, Records: func() (*record.Place, error) {
				return &record.Place{Files: world.NewBucket(), Dir: dir, Bucket: "b", Now: time.Now}, nil
			}}.Parse(nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			users, err := set.Resolve(t.Context(), cameBack{still: c.still})
			if err != nil || len(users) != c.found {
				t.Fatalf("found %v, %v", users, err)
			}
			if err := set.RefuseNobody(len(users)); (err != nil) != c.refused {
				t.Errorf("refused: %v", err)
			}
		})
	}
}
