package main

import (
	"context"
	"fmt"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/parallel"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// confirmForeign shows which users' foreign marks would be ended, and asks for that in words. Files of this
// very bucket are not ended by the bucket. An object that does not know them is more likely another one than
// a lost one.
func (a *app) confirmForeign(ctx context.Context, c *chosen, confirm string) error {
	marks, err := foreignMarks(ctx, c.Engine, c.users)
	if err != nil || len(marks) == 0 {
		return err // the run says of each user that there is none
	}
	own := a.sayForeign(marks)
	if own > 0 && c.set.Wide {
		return usageError(
			"end foreign marks",
			"",
			fmt.Sprintf(
				"receipts in this bucket say that %s out of it, and this Worker's Durable Objects do not know them; nothing was changed",
				wasMoved(own),
			),
			"check --worker-url, the account and the class binding; if the objects are lost, name these users or list them with --users-file",
		)
	}
	return a.confirmWords(ctx, "end foreign marks", foreignWords(marks), confirm)
}

func wasMoved(users int) string {
	if users == 1 {
		return "1 user was moved"
	}
	return fmt.Sprintf("%d users were moved", users)
}

// foreignWords are what has to be typed.
func foreignWords(marks []inspect.ForeignMark) string {
	if len(marks) == 1 {
		return fmt.Sprintf("end the foreign mark of %s", marks[0].User)
	}
	return fmt.Sprintf("end the foreign marks of %d users", len(marks))
}

// foreignMarks asks both sides of everybody. A user who cannot be asked is the run's failure.
func foreignMarks(
	ctx context.Context,
	e *migrate.Engine,
	users []migrate.Found,
) ([]inspect.ForeignMark, error) {
	found := make([]*inspect.ForeignMark, len(users))
	var sick migrate.Sick
	err := parallel.Each(ctx, len(users), e.Concurrency, func(ctx context.Context, i int) (err error) {
		found[i], err = e.Inspect().ForeignMark(ctx, users[i].User)
		if userdb.KindOf(err) == userdb.Unreachable || ctx.Err() != nil {
			return err
		}
		return sick.Saw(err)
	})
	var marks []inspect.ForeignMark
	for _, m := range found {
		if m != nil && !m.SetBack {
			marks = append(marks, *m)
		}
	}
	return marks, err
}

// sayForeign tells of each mark, and counts those of moves out of this bucket.
func (a *app) sayForeign(marks []inspect.ForeignMark) (own int) {
	for i, m := range marks {
		what := "no receipt in this bucket knows it"
		if m.Own != nil {
			own++
			what = fmt.Sprintf(
				"MOVED OUT OF THIS BUCKET at %s by run %s: what the Durable Object held since then is not in the file",
				time.UnixMilli(m.Own.MigratedAt).UTC().Format(time.RFC3339),
				m.Own.Run,
			)
		}
		if i < leftShown {
			a.out.Warn(
				"%s: the file carries claim %d, and the Durable Object knows %d; %s",
				m.User,
				m.Shown,
				m.Known,
				what,
			)
		}
	}
	if more := len(marks) - leftShown; more > 0 {
		a.out.Warn("and %s more", units.Plural(more, "user"))
	}
	a.out.Warn(
		"foreign marks: %d, of which %d of moves out of this bucket; each of these files serves as it is, however old",
		len(marks),
		own,
	)
	return own
}

// foreignMark asks Durable Objects, where a Worker is configured.
func (a *app) foreignMark(
	e *migrate.Engine,
	c config.Config,
) func(context.Context, userdb.UserID) (*inspect.ForeignMark, error) {
	worker, err := newWorker(c, a.traffic)
	if err != nil {
		return nil
	}
	e.Stores = worker
	return e.Inspect().ForeignMark
}
