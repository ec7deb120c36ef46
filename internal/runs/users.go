package runs

import (
	"context"
	"fmt"

	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// InFlight is the outcome of a user who was begun in a run that has no end.
const InFlight = "in-flight"

// Open are the users who were in flight in runs without an end.
type Open struct {
	Run   record.Run
	Users []userdb.UserID
}

// OpenOf finds, among the newest runs, those without an end that had users in flight.
func OpenOf(ctx context.Context, place *record.Place, newest int, warn func(error)) ([]Open, error) {
	all, err := place.List(ctx, newest, warn)
	if err != nil {
		return nil, err
	}
	var open []Open
	for _, run := range all {
		if users := run.InFlight(); len(users) > 0 {
			open = append(open, Open{run, users})
		}
	}
	return open, nil
}

// InFlightText says it of a run; "" where nobody was.
func InFlightText(run record.Run) string {
	n := len(run.InFlight())
	switch {
	case n == 0:
		return ""
	case run.State == record.Running:
		return fmt.Sprintf(
			"%s in flight in run %s, which %s%s",
			areIn(n, "is", "are"),
			run.Begin.Run,
			GoesOn(),
			asOf(run),
		)
	}
	return fmt.Sprintf("%s in flight when run %s ended%s", areIn(n, "was", "were"), run.Begin.Run, asOf(run))
}

func asOf(run record.Run) string {
	text := AsOf(run)
	if text == "" {
		return ""
	}
	return ", " + text
}

// AsOf says how old the copy is that a run without an end is known from; "" where the record itself is here.
// Users who were begun since are not in it.
func AsOf(run record.Run) string {
	if run.CopyAge == 0 {
		return ""
	}
	return fmt.Sprintf("as of its copy in R2, %s old", units.FormatDuration(run.CopyAge))
}

// GoesOn is what a record tells of a run in state running.
func GoesOn() string {
	return fmt.Sprintf("goes on, or was killed less than %s ago", units.FormatDuration(record.Fresh))
}

func areIn(users int, one, many string) string {
	if users == 1 {
		return "1 user " + one
	}
	return fmt.Sprintf("%d users %s", users, many)
}

// Users are the users of a run, in the order in which they were done, and how they ended then.
type Users struct {
	Run      record.Run
	IDs      []userdb.UserID
	Outcomes map[userdb.UserID]string
}

// UsersOf reads the record of a run over this bucket.
func UsersOf(ctx context.Context, place *record.Place, id, bucket string) (Users, error) {
	u := Users{Outcomes: map[userdb.UserID]string{}}
	var err error
	u.Run, err = place.Load(ctx, id, func(l record.UserLine) {
		if _, again := u.Outcomes[l.User]; !again {
			u.IDs = append(u.IDs, l.User)
		}
		u.Outcomes[l.User] = l.Outcome
	})
	for _, id := range u.Run.InFlight() {
		if _, again := u.Outcomes[id]; !again {
			u.IDs = append(u.IDs, id)
		}
		u.Outcomes[id] = InFlight
	}
	if err == nil && u.Run.Bucket != bucket {
		err = userdb.UsageError("read run", id, "it was about the bucket "+u.Run.Bucket, "pass --bucket "+u.Run.Bucket)
	}
	return u, err
}
