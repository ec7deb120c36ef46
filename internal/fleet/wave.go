package fleet

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Wave is one step of a run: users who are worked on, and looked at, before the next ones are begun.
type Wave struct {
	Name   string
	Canary bool
	Users  []inspect.Found
}

// All is everybody in one step.
func All(users []inspect.Found) []Wave { return []Wave{{Name: "all", Users: users}} }

func usersOf(waves []Wave) (users []inspect.Found) {
	for _, w := range waves {
		users = append(users, w.Users...)
	}
	return users
}

// Steps say how a run goes from a canary to everybody.
type Steps struct {
	Canary   int
	Percents Percents
}

// Divide makes waves of the chosen users. The canary are those with the smallest shares, so they are part of
// every percentage, on every machine; the order within a wave stays. Users beyond the last percentage are in
// no wave. Waves without anybody are left out.
func (o Steps) Divide(users []inspect.Found) []Wave {
	var waves []Wave
	rest := users
	take := func(w Wave, in func(userdb.UserID) bool) {
		var later []inspect.Found
		for _, f := range rest {
			if in(f.User) {
				w.Users = append(w.Users, f)
			} else {
				later = append(later, f)
			}
		}
		rest = later
		if len(w.Users) > 0 {
			waves = append(waves, w)
		}
	}
	canaries := smallestShares(users, o.Canary)
	take(Wave{Name: "canary", Canary: true}, func(u userdb.UserID) bool { return canaries[u] })
	for _, percent := range o.Percents {
		take(
			Wave{Name: selection.FormatPercent(percent)},
			func(u userdb.UserID) bool { return selection.Share(u) < percent },
		)
	}
	if len(o.Percents) == 0 {
		take(Wave{Name: "the rest"}, func(userdb.UserID) bool { return true })
	}
	return waves
}

func smallestShares(users []inspect.Found, n int) map[userdb.UserID]bool {
	ids, _ := IDsAndSizes(users)
	slices.SortFunc(ids, func(a, b userdb.UserID) int {
		return cmp.Or(cmp.Compare(selection.Share(a), selection.Share(b)), cmp.Compare(a, b))
	})
	chosen := map[userdb.UserID]bool{}
	for _, u := range ids[:min(n, len(ids))] {
		chosen[u] = true
	}
	return chosen
}

// Percents is the value of a flag such as 1,10,50,100: shares that grow.
type Percents []float64

// Set reads the flag.
func (l *Percents) Set(text string) error {
	var list Percents
	for _, part := range strings.Split(text, ",") {
		percent, err := selection.ParsePercent(part)
		if err != nil {
			return err
		}
		if percent == 0 || len(list) > 0 && percent <= list[len(list)-1] {
			return fmt.Errorf("must be shares, each larger than the one before, such as 1,10,50,100, not %q", text)
		}
		list = append(list, percent)
	}
	*l = list
	return nil
}

// Type names the value in help texts.
func (l *Percents) Type() string { return "shares" }

// String is the value as one would type it.
func (l *Percents) String() string {
	var parts []string
	for _, percent := range *l {
		parts = append(parts, strconv.FormatFloat(percent, 'f', -1, 64))
	}
	return strings.Join(parts, ",")
}
