package scan

import (
	"cmp"
	"context"
	"fmt"

	"github.com/dbmigrate/dbmigrate/internal/parallel"
	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/internal/spill"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// The advice of a scan, promised in docs/scripting.md.
const (
	AdviceNone     = "none"
	AdviceNote     = "note"     // from NoteFrom
	AdviceMigrate  = "migrate"  // from the threshold
	AdviceMigrated = "migrated" // the Durable Object serves
	AdviceCheck    = "check"    // flag and file contradict each other: a command was cut off, or its flag is not written yet
)

// User is one user of a scan (docs/scripting.md).
type User struct {
	User    userdb.UserID    `json:"user"`
	Key     userdb.ObjectKey `json:"key"`
	Bytes   int64            `json:"bytes"`
	ETag    userdb.ETag      `json:"etag"`
	Place   inspect.Place    `json:"servedBy"`
	Flagged bool             `json:"flagged"`
	Advice  string           `json:"advice"`
	Reason  string           `json:"reason,omitempty"`
	Blocked []string         `json:"blocked,omitempty"`

	// RowsWritten is what a move would write: rows and index entries, counted by --deep.
	RowsWritten   *int64    `json:"rowsWritten,omitempty"`
	GrowthPerWeek *float64  `json:"growthBytesPerWeek,omitempty"`
	CrossesInDays *float64  `json:"crossesInDays,omitempty"`
	Cost          *UserCost `json:"cost,omitempty"`

	// Of --deep (docs/preflight.md).
	Verdict sqlitefile.Level     `json:"verdict,omitempty"`
	Reasons []sqlitefile.Problem `json:"reasons,omitempty"`

	Error *userdb.ErrorJSON `json:"error,omitempty"` // why R2 does not show the object

	// ForeignMark is the claim that the file carries, where the Durable Object knows none so high.
	ForeignMark userdb.Claim `json:"foreignMark,omitempty"`

	marked bool // the object's metadata speaks of a command
	over   int  // in so many scans, up to this one, the file was over the threshold
}

// advise says what a scan alone can tell about one user.
func advise(f inspect.Found, threshold int64) User {
	s := User{
		User:    f.User,
		Key:     f.Key,
		Bytes:   f.Bytes,
		ETag:    f.ETag,
		Place:   f.Place,
		Flagged: f.Flagged,
		Advice:  AdviceNone,
		marked:  f.Marked,
	}
	switch {
	case f.Place == inspect.PlaceUnreadable:
		s.fail(f.Err)
	case f.Place == inspect.PlaceUnnameable:
		s.Advice, s.Reason = AdviceCheck, "its key holds what can be no user's id: move the object to another key first"
	case f.Place == inspect.PlaceMissing:
		s.Advice, s.Reason = AdviceCheck, "a flag, but no file"
	case f.Place == inspect.PlaceObject && f.Flagged:
		s.Advice = AdviceMigrated
	case f.Place == inspect.PlaceObject:
		s.Advice, s.Reason = AdviceCheck, "the file is fenced, but there is no flag"
	case f.Flagged:
		s.Advice, s.Reason = AdviceCheck, "a flag, but the file is not fenced"
	case f.Bytes >= threshold:
		s.Advice = AdviceMigrate
	case f.Bytes >= NoteFrom:
		s.Advice = AdviceNote
	}
	return s
}

// fail notes that the object cannot be read.
func (s *User) fail(err error) {
	described := userdb.ErrorOf(err)
	s.Advice, s.Reason, s.Error = AdviceCheck, "the object cannot be read: "+described.Message, &described
}

// nameForeign asks the users' Durable Objects whether they know the marks of their files.
func nameForeign(ctx context.Context, users []User, o *Options) error {
	return parallel.Each(ctx, len(users), o.Concurrency, func(ctx context.Context, i int) error {
		u := &users[i]
		m, err := o.ForeignMark(ctx, u.User)
		switch {
		case err != nil:
			o.Out.Warn("%s: whether its mark is a foreign one cannot be told: %v", u.User, err)
		case m != nil:
			u.Advice, u.ForeignMark = AdviceCheck, m.Shown
			u.Reason = fmt.Sprintf(
				"a foreign mark: the file carries claim %d, and its Durable Object knows %d",
				m.Shown,
				m.Known,
			)
		}
		return ctx.Err()
	})
}

// reads says whether the user's file is read: those in R2, or a share of them that is the same each time.
func (o *Options) reads(u *User) bool {
	return u.Place == inspect.PlaceFile && (o.Sample == 0 || selection.Share(u.User) < o.Sample)
}

// lookDeep reads the files of users in R2 and notes what stands in their way.
func lookDeep(ctx context.Context, e Engine, found *spill.Sorter[line], o *Options) (*spill.Sorter[line], error) {
	sizes := map[string]int64{}
	err := found.Each(func(l line) error {
		if o.reads(&l.User) {
			sizes[string(l.User.User)] = l.Bytes
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	progress := o.Out.NewProgress("scan", sizes, nil)
	defer progress.Close()
	var sick inspect.Sick
	looked := o.sorter(byName)
	err = batches(found, func(users []User) error {
		err := parallel.Each(ctx, len(users), o.Concurrency, func(ctx context.Context, i int) error {
			if !o.reads(&users[i]) {
				return nil
			}
			err := users[i].look(ctx, e)
			if err != nil {
				users[i].fail(err)
			}
			progress.Finish(string(users[i].User), err == nil && len(users[i].Blocked) == 0)
			return sick.Saw(err)
		})
		for _, u := range users {
			err = cmp.Or(err, looked.Add(lineOf(u)))
		}
		return err
	})
	return looked, cmp.Or(err, sick.Most())
}

func (s *User) look(ctx context.Context, e Engine) error {
	found, err := e.LookDeep(ctx, s.User)
	switch userdb.KindOf(err) {
	case "":
		s.Verdict, s.Reasons = found.Verdict(), found.Problems()
		if err = found.Err(); err == nil {
			written := found.Entries.Total()
			s.RowsWritten = &written
		}
	case userdb.NotSQLite, userdb.Damaged, userdb.Blocked, userdb.TooCostly, userdb.NotFound:
		s.Verdict, s.Reasons = sqlitefile.Blocked, sqlitefile.ProblemsOf(err)
	default:
		return err
	}
	if err != nil {
		s.Blocked = []string{err.Error()}
	}
	return nil
}
