package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// history chooses users by when, and in which wave, they were migrated.
type history struct {
	run       string
	since     ageValue
	toPercent float64
}

func (h *history) add(flags *pflag.FlagSet) {
	flags.StringVar(&h.run, "run", "", "only users whom this `run` of migrate moved")
	flags.Var(&h.since, "since", "only users who were migrated within this time; w, d, h, m, s")
	flags.Float64Var(&h.toPercent, "to-percent", 0,
		"go back to this share: those whom `migrate --percent N` chooses stay, everyone else goes back")
}

func (h *history) check() error {
	if !(h.toPercent >= 0 && h.toPercent <= 100) {
		return usageError("read --to-percent", "", "it is not between 0 and 100", "")
	}
	return nil
}

// byTime says whether flags and receipts tell who is meant.
func (h *history) byTime() bool { return h.run != "" || h.since.typed != "" }

// goingBack leaves out those whom --to-percent lets stay.
func (h *history) goingBack(users []migrate.Found) []migrate.Found {
	return slices.DeleteFunc(users, func(f migrate.Found) bool { return share(f.User) < h.toPercent })
}

// clocksApart is by how much the clocks of the machines that migrate, and R2's, may differ without anybody being missed.
const clocksApart = time.Hour

// began is before the first receipt of those who are meant was written.
func (h *history) began(now time.Time) time.Time {
	var began time.Time
	if h.since.typed != "" {
		began = now.Add(-h.since.Duration)
	}
	if stamp, _, ok := strings.Cut(h.run, "-"); ok {
		if t, err := time.Parse(runTime, stamp); err == nil && t.After(began) {
			began = t
		}
	}
	if began.IsZero() {
		return began
	}
	return began.Add(-clocksApart)
}

// moved finds the users who are meant, the latest first.
func (h *history) moved(ctx context.Context, e *migrate.Engine, s *selection, warn func(string, ...any)) ([]migrate.Found, error) {
	now := time.Now()
	all, err := e.Moved(ctx, migrate.ScanOptions{Prefix: s.prefix, WithoutFlags: s.unread}, h.began(now))
	if err != nil {
		return nil, err
	}
	named := map[userdb.UserID]bool{}
	for _, u := range s.named {
		named[u] = true
	}
	var meant []migrate.Found
	for _, f := range all {
		if !(s.wide || named[f.User]) || !s.takes(f) {
			continue
		}
		if f.Err != nil && f.Place != migrate.PlaceUnreadable {
			s.flagsUnread = true // somebody may be missing, so the command does not end with 0
			warn("%s is in a Durable Object, and nothing says since when: %v; name the user if it is meant", f.User, f.Err)
		} else if h.takes(f, now) {
			meant = append(meant, f)
		}
	}
	if len(meant) == 0 && h.run != "" {
		warn("no user is in a Durable Object by run %s%s", h.run, latestRuns(all))
	}
	return meant, nil
}

// withRecorded adds the users of the run's record whom neither flags nor receipts showed, where the file is still as that run left it. A run
// without a record has told everything already.
func (a *app) withRecorded(cmd *cobra.Command, e *migrate.Engine, o *rollbackOptions, users []migrate.Found) ([]migrate.Found, error) {
	c, err := a.loadConfig(cmd.Flags().Changed("env"))
	if err != nil {
		return nil, err
	}
	place, err := a.records(c, o.recordDir)
	if err != nil {
		return nil, err
	}
	chosen := map[userdb.UserID]bool{}
	for _, f := range users {
		chosen[f.User] = true
	}
	var lines []record.UserLine
	run, err := place.Load(cmd.Context(), o.run, func(l record.UserLine) {
		if l.Claim != 0 && !chosen[l.User] && (o.wide || slices.Contains(o.named, l.User)) {
			lines = append(lines, l)
		}
	})
	if err != nil {
		a.out.Warn("the record of run %s cannot be read, so only receipts tell who is meant: %v", o.run, err)
		return users, nil
	}
	if run.Bucket != c.Bucket {
		return users, nil
	}
	recorded := make([]*migrate.Found, len(lines))
	err = sideBySide(cmd.Context(), len(lines), looksAtOnce, func(ctx context.Context, i int) error {
		meta := userdb.FlagMeta{Run: o.run, At: run.At, Bytes: lines[i].Bytes}
		f, moved, err := e.Recorded(ctx, lines[i].User, lines[i].Claim, meta)
		if err != nil && !isCancelled(err) { // one sick object: the command that follows says what it is
			f.Place, f.Err, moved, err = migrate.PlaceUnreadable, err, true, nil
		}
		if moved && o.selection.takes(f) && o.history.takes(f, time.Now()) {
			recorded[i] = &f
		}
		return err
	})
	for _, f := range recorded {
		if f != nil && !chosen[f.User] {
			chosen[f.User] = true
			users = append(users, *f)
		}
	}
	migrate.SortLatestFirst(users)
	return users, err
}

func (h *history) takes(f migrate.Found, now time.Time) bool {
	if f.Place == migrate.PlaceUnreadable && f.Flag.Run == "" {
		return true // nothing says when, or by which run: the command says what it is
	}
	return (h.run == "" || f.Flag.Run == h.run) &&
		(h.since.typed == "" || f.Flag.At >= now.Add(-h.since.Duration).UnixMilli())
}

// latestRuns names a few runs, for whoever mistyped one.
func latestRuns(latestFirst []migrate.Found) string {
	const few = 3
	var runs []string
	for _, f := range latestFirst {
		if f.Flag.Run != "" && !slices.Contains(runs, f.Flag.Run) && len(runs) < few {
			runs = append(runs, f.Flag.Run)
		}
	}
	if runs == nil {
		return ""
	}
	return "; the latest runs of which somebody is: " + strings.Join(runs, ", ")
}

// forward is the command that undoes a rollback of the same users. A rollback that went by time or share left no trace of whom it took back
// but its own output. Only who was moved before goes forward: not those who were half-way, or had nothing to go back from.
func (o *rollbackOptions) forward(args []string) string {
	switch {
	case len(args) > 0:
		return "dbmigrate migrate " + strings.Join(args, " ")
	case o.usersFile != "":
		return "dbmigrate migrate --users-file " + o.usersFile
	}
	return `jq -r 'select(.action=="rollback" and (.outcome=="restored" or .outcome=="exported" or .outcome=="discarded")).user' ROLLBACK.jsonl | dbmigrate migrate --users-file -`
}

// sinceText is for people.
func sinceText(at int64) string {
	if at == 0 {
		return ""
	}
	return units.FormatDuration(time.Since(time.UnixMilli(at)))
}
