package selection

import (
	"fmt"
	"testing"
	"time"

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
