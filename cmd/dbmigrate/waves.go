package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// wave is one step of a rollout: users who are moved, and looked at, before the next ones are begun.
type wave struct {
	name   string
	canary bool
	users  []migrate.Found
}

// waveOptions say how a migrate goes from a canary to everybody. The zero value is one step without a gate.
type waveOptions struct {
	canary      int
	canaryPause units.AgeFlag
	percents    percentList
	gate        gate
	rollback    bool
}

// defaultGateFailures lets a wave pass in which a user in fifty could not be moved.
const defaultGateFailures = 2

func (o *waveOptions) add(flags *pflag.FlagSet) {
	o.gate.failures.Of = defaultGateFailures
	flags.IntVar(&o.canary, "canary", 0, "move so `many` users first, always the same ones, verify them, and only then the others")
	flags.Var(&o.canaryPause, "canary-pause", "after the canary wait for this `time`, such as 5m, and verify it again")
	flags.Var(&o.percents, "waves", "move these shares of all users one after the other, such as 1,10,50,100, with a gate between")
	flags.Var(&o.gate.failures, "gate-failures", "a gate stops the run when more than this `share` of its wave failed, or when verify finds a difference")
	flags.BoolVar(&o.rollback, "rollback-on-gate", false, "take back exactly the users whom the wave moved whose gate stopped the run")
}

func (o *waveOptions) on() bool { return o.canary > 0 || len(o.percents) > 0 }

func (o *waveOptions) check(gateSaid bool) error {
	switch {
	case o.canary < 0:
		return usageError("read --canary", "", "it is negative", "")
	case o.canaryPause.Typed != "" && o.canary == 0:
		return usageError("read --canary-pause", "", "there is no canary", "say --canary 1, too")
	case (o.rollback || gateSaid) && !o.on():
		return usageError("read flags", "", "--gate-failures and --rollback-on-gate are about waves", "say --canary or --waves, too")
	}
	return nil
}

// divide makes waves of the chosen users. The canary are those with the smallest shares, so they are part of every percentage, on every machine; the
// order within a wave stays. Users beyond the last percentage are in no wave. Waves without anybody are left out.
func (o *waveOptions) divide(users []migrate.Found) []wave {
	var waves []wave
	rest := users
	take := func(w wave, in func(userdb.UserID) bool) {
		var later []migrate.Found
		for _, f := range rest {
			if in(f.User) {
				w.users = append(w.users, f)
			} else {
				later = append(later, f)
			}
		}
		rest = later
		if len(w.users) > 0 {
			waves = append(waves, w)
		}
	}
	canaries := smallestShares(users, o.canary)
	take(wave{name: "canary", canary: true}, func(u userdb.UserID) bool { return canaries[u] })
	for _, percent := range o.percents {
		take(wave{name: selection.FormatPercent(percent)}, func(u userdb.UserID) bool { return selection.Share(u) < percent })
	}
	if len(o.percents) == 0 {
		take(wave{name: "the rest"}, func(userdb.UserID) bool { return true })
	}
	return waves
}

// inWaves leaves out whoever is beyond the last wave.
func (o *waveOptions) inWaves(users []migrate.Found, say func(string, ...any)) []migrate.Found {
	var in []migrate.Found
	for _, w := range o.divide(users) {
		in = append(in, w.users...)
	}
	if left := len(users) - len(in); left > 0 {
		say("%s are beyond the last wave and stay where they are", units.Plural(left, "user"))
	}
	return in
}

func smallestShares(users []migrate.Found, n int) map[userdb.UserID]bool {
	ids, _ := idsAndSizes(users)
	slices.SortFunc(ids, func(a, b userdb.UserID) int {
		return cmp.Or(cmp.Compare(selection.Share(a), selection.Share(b)), cmp.Compare(a, b))
	})
	chosen := map[userdb.UserID]bool{}
	for _, u := range ids[:min(n, len(ids))] {
		chosen[u] = true
	}
	return chosen
}

// percentList is a flag such as 1,10,50,100: shares that grow.
type percentList []float64

func (l *percentList) Set(text string) error {
	var list percentList
	for _, part := range strings.Split(text, ",") {
		percent, err := selection.ParsePercent(part)
		if err != nil {
			return err
		}
		if percent == 0 || len(list) > 0 && percent <= list[len(list)-1] {
			return fmt.Errorf("each wave has to be larger than the one before, such as 1,10,50,100")
		}
		list = append(list, percent)
	}
	*l = list
	return nil
}

func (l *percentList) Type() string { return "percents" }

func (l *percentList) String() string {
	var parts []string
	for _, percent := range *l {
		parts = append(parts, strconv.FormatFloat(percent, 'f', -1, 64))
	}
	return strings.Join(parts, ",")
}

// waveLine is a wave's line in the JSON (docs/scripting.md).
type waveLine struct {
	Name       string                  `json:"name"`
	Number     int                     `json:"number"`
	Of         int                     `json:"of"`
	Users      int                     `json:"users"`
	Outcomes   map[migrate.Outcome]int `json:"outcomes"`
	Failed     int                     `json:"failed"`
	NotBegun   int                     `json:"notBegun"`
	Verified   int                     `json:"verified"`
	Different  int                     `json:"different"`
	Unverified int                     `json:"unverified"`
	Gate       string                  `json:"gate"`
	Reason     string                  `json:"reason,omitempty"`
	RolledBack int                     `json:"rolledBack"`
	TookMs     int64                   `json:"tookMs"`
}

// What became of a gate, promised in docs/scripting.md.
const (
	gatePassed  = "passed"
	gateStopped = "stopped"
	gateSkipped = "interrupted" // nobody waited for a verdict
)

func (l *waveLine) sentence() string {
	text := fmt.Sprintf("wave %d of %d, %s: %s, %d failed, %d verified, %d different: gate %s", l.Number, l.Of, l.Name, units.Plural(l.Users, "user"), l.Failed,
		l.Verified, l.Different, l.Gate)
	if l.Reason != "" {
		text += ": " + l.Reason
	}
	if l.RolledBack > 0 {
		text += fmt.Sprintf("; %s taken back", units.Plural(l.RolledBack, "user"))
	}
	return text + " (" + units.FormatDuration(time.Duration(l.TookMs)*time.Millisecond) + ")"
}

// gate decides after a wave whether the next one may begin.
type gate struct {
	failures selection.Percent // the largest share of a wave that may fail
}

// judge is empty when the wave passes. A user who could not be verified is one of whom nothing is known, and counts as failed.
func (g gate) judge(l *waveLine) (reason string) {
	begun := l.Users - l.NotBegun - l.Outcomes[migrate.OutcomeQuarantined]
	failed := l.Failed + l.Unverified
	switch {
	case l.Different > 0:
		return fmt.Sprintf("verify found a difference in %s", units.Plural(l.Different, "user"))
	case failed > 0 && float64(failed)*100 > g.failures.Of*float64(begun):
		return fmt.Sprintf("%d of %s failed, and --gate-failures is %s", failed, units.Plural(begun, "user"), selection.FormatPercent(g.failures.Of))
	}
	return ""
}

// lost says that the gate will stop the run whatever becomes of the users still to come.
func (g gate) lost(failed, users int) bool {
	return failed > 0 && float64(failed)*100 > g.failures.Of*float64(users)
}
