package selection

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/parallel"
	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// byTime says whether flags and receipts tell who is meant.
func (o *Options) byTime() bool { return o.Run != "" || o.Since.Typed != "" }

// stays says that ToPercent leaves the user where the user is.
func (o *Options) stays(u userdb.UserID) bool { return o.ToPercent.Given && Share(u) < o.ToPercent.Of }

// clocksApart is by how much the clocks of the machines that migrate, and R2's, may differ without anybody
// being missed.
const clocksApart = time.Hour

// began is before the first receipt of those who are meant was written.
func (o *Options) began(now time.Time) time.Time {
	var began time.Time
	if o.Since.Typed != "" {
		began = now.Add(-o.Since.Duration)
	}
	if stamp, _, ok := strings.Cut(o.Run, "-"); ok {
		if t, err := time.Parse(record.RunTime, stamp); err == nil && t.After(began) {
			began = t
		}
	}
	if began.IsZero() {
		return began
	}
	return began.Add(-clocksApart)
}

// resolveMoved finds the users who moved when they are meant to have, the latest first. Where the flags
// cannot be read, the run's record tells who else it moved.
func (s *Set) resolveMoved(ctx context.Context, e Scanner) ([]inspect.Found, error) {
	users, err := s.moved(ctx, e)
	if err != nil || !s.FlagsUnread || s.options.Run == "" || s.options.Records == nil {
		return users, err
	}
	return s.withRecorded(ctx, e, users)
}

func (s *Set) moved(ctx context.Context, e Scanner) ([]inspect.Found, error) {
	now, talk := time.Now(), s.options.Talk
	all, err := e.Moved(
		ctx,
		inspect.ScanOptions{Prefix: s.options.Prefix, WithoutFlags: s.unread()},
		s.options.began(now),
	)
	if err != nil {
		return nil, err
	}
	var meant []inspect.Found
	for _, f := range all {
		if !s.means(f.User) || !s.takes(f) {
			continue
		}
		if f.Err != nil && f.Place != inspect.PlaceUnreadable {
			s.FlagsUnread = true // somebody may be missing, so the command does not end with 0
			talk.Warn(
				"%s is in a Durable Object, and nothing says since when: %v; name the user if it is meant",
				f.User,
				f.Err,
			)
		} else if s.options.takesTime(f, now) {
			meant = append(meant, f)
		}
	}
	if len(meant) == 0 && s.options.Run != "" {
		talk.Warn("no user is in a Durable Object by run %s%s", s.options.Run, latestRuns(all))
	}
	return meant, nil
}

// means says that a user is named, or that nobody is.
func (s *Set) means(u userdb.UserID) bool { return s.Wide || slices.Contains(s.Named, u) }

// withRecorded adds users of the run's record that neither flags nor receipts showed, where the file is still
// as that run left it. A run without a record has told everything already.
func (s *Set) withRecorded(ctx context.Context, e Scanner, users []inspect.Found) ([]inspect.Found, error) {
	place, err := s.options.Records()
	if err != nil {
		return nil, err
	}
	chosen := map[userdb.UserID]bool{}
	for _, f := range users {
		chosen[f.User] = true
	}
	var lines []record.UserLine
	run, err := place.Load(ctx, s.options.Run, func(l record.UserLine) {
		if l.Claim != 0 && !chosen[l.User] && s.means(l.User) {
			lines = append(lines, l)
		}
	})
	if err != nil {
		s.options.Talk.Warn(
			"the record of run %s cannot be read, so only receipts tell who is meant: %v",
			s.options.Run,
			err,
		)
		return users, nil
	}
	if run.Bucket != place.Bucket || !moves(run) {
		return users, nil
	}
	recorded, err := s.lookAtRecorded(ctx, e, run, lines)
	for _, f := range recorded {
		if f != nil && !chosen[f.User] {
			chosen[f.User] = true
			users = append(users, *f)
		}
	}
	inspect.SortLatestFirst(users)
	return users, err
}

// moves says of a run that its users may have moved by it. Others name claims, too, such as a verify.
func moves(run record.Run) bool {
	switch result.Action(run.Action) {
	case result.ActionMigrate, result.ActionRestore, result.ActionThaw:
		return true
	}
	return false
}

// looksAtOnce keeps small requests side by side.
const looksAtOnce = 32

func (s *Set) lookAtRecorded(
	ctx context.Context,
	e Scanner,
	run record.Run,
	lines []record.UserLine,
) ([]*inspect.Found, error) {
	recorded := make([]*inspect.Found, len(lines))
	err := parallel.Each(ctx, len(lines), looksAtOnce, func(ctx context.Context, i int) error {
		meta := userdb.FlagMeta{Run: s.options.Run, At: run.At, Bytes: lines[i].Bytes}
		f, moved, err := e.Recorded(ctx, lines[i].User, lines[i].Claim, meta)
		if err != nil &&
			!parallel.IsCancelled(err) { // one sick object: the command that follows says what it is
			f.Place, f.Err, moved, err = inspect.PlaceUnreadable, err, true, nil
		}
		if moved && s.takes(f) && s.options.takesTime(f, time.Now()) {
			recorded[i] = &f
		}
		return err
	})
	return recorded, err
}

func (o *Options) takesTime(f inspect.Found, now time.Time) bool {
	if f.Place == inspect.PlaceUnreadable && f.Flag.Run == "" {
		return true // nothing says when, or by which run: the command says what it is
	}
	return (o.Run == "" || f.Flag.Run == o.Run) &&
		(o.Since.Typed == "" || f.Flag.At >= now.Add(-o.Since.Duration).UnixMilli())
}

// latestRuns names a few runs, in case the run was mistyped.
func latestRuns(latestFirst []inspect.Found) string {
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
	return "; the latest runs with users in one: " + strings.Join(runs, ", ")
}
