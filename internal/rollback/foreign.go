package rollback

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/parallel"
	"github.com/dbmigrate/dbmigrate/internal/prompt"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// ConfirmForeign shows the foreign marks that would be ended, asks for that in words, and returns what it
// showed.
// Files of this very bucket are not ended by the bucket: an object that does not know them is more likely
// another one than a lost one.
func ConfirmForeign(
	ctx context.Context,
	c *connect.Chosen,
	confirm string,
	p prompt.Prompt,
	warn func(string, ...any),
) (Foreign, error) {
	if c.Misplaced != nil {
		return nil, c.Misplaced
	}
	found, err := lookForForeign(ctx, c.Engine, c.Users)
	marks := found.toEnd()
	if err != nil || len(marks) == 0 {
		return found, err // the run says of each user that there is none
	}
	own := sayForeign(marks, warn)
	if own > 0 && c.Set.Wide {
		return nil, userdb.UsageError(
			"end foreign marks",
			"",
			fmt.Sprintf(
				"receipts in this bucket say that %s out of it, and this Worker's Durable Objects do not know them; nothing was changed",
				wasMoved(own),
			),
			"check --worker-url, the account and the class binding; if the objects are lost, name these users or list them with --users-file",
		)
	}
	return found, p.Confirm(ctx, "end foreign marks", foreignWords(marks), confirm)
}

func wasMoved(users int) string {
	if users == 1 {
		return "1 user was moved"
	}
	return fmt.Sprintf("%d users were moved", users)
}

// foreignWords are what has to be typed. They name the marks, so that they confirm no others.
func foreignWords(marks []inspect.ForeignMark) string {
	if len(marks) == 1 {
		return fmt.Sprintf("end the foreign mark of %s", marks[0].User)
	}
	var named []string
	for _, m := range marks {
		named = append(named, fmt.Sprintf("%s %d %d", m.User, m.Shown, m.Known))
	}
	return fmt.Sprintf("end the foreign marks of %d users %s", len(marks), prompt.NameOf(named))
}

// Foreign are the foreign marks of the users who were asked about. Who has none is in it with nil.
type Foreign map[userdb.UserID]*inspect.ForeignMark

// toEnd are the marks that can be ended, by user.
func (f Foreign) toEnd() (marks []inspect.ForeignMark) {
	for _, u := range slices.Sorted(maps.Keys(f)) {
		if m := f[u]; m != nil && !m.SetBack {
			marks = append(marks, *m)
		}
	}
	return marks
}

// lookForForeign asks both sides of everybody. Nobody is begun when one of them cannot be asked: what nobody
// was shown would be ended.
func lookForForeign(ctx context.Context, e *migrate.Engine, users []inspect.Found) (Foreign, error) {
	marks, failed := make([]*inspect.ForeignMark, len(users)), make([]error, len(users))
	var sick inspect.Sick
	err := parallel.Each(ctx, len(users), e.Concurrency, func(ctx context.Context, i int) error {
		marks[i], failed[i] = e.Inspect().ForeignMark(ctx, users[i].User)
		if userdb.KindOf(failed[i]) == userdb.Unreachable || ctx.Err() != nil {
			return failed[i]
		}
		return sick.Saw(failed[i])
	})
	if err := cmp.Or(err, sick.Most()); err != nil {
		return nil, err
	}
	found, unasked := Foreign{}, []string{}
	for i, f := range users {
		found[f.User] = marks[i]
		if failed[i] != nil {
			unasked = append(unasked, string(f.User))
		}
	}
	if len(unasked) > 0 {
		slices.Sort(unasked)
		return nil, fmt.Errorf(
			"nobody was begun: %s could not be asked about a foreign mark (%s): %w",
			units.Plural(len(unasked), "user"),
			someOf(unasked),
			cmp.Or(failed...),
		)
	}
	return found, nil
}

// someOf are the first names of a list.
func someOf(names []string) string {
	if len(names) <= leftShown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:leftShown], ", "), len(names)-leftShown)
}

// End ends the mark that was shown of a user, and no other one.
func (f Foreign) End(ctx context.Context, c *connect.Chosen, u userdb.UserID) result.Result {
	if f[u] == nil {
		return result.Result{User: u, Action: result.ActionRollback, Outcome: result.OutcomeNothing,
			Reason: "there is no foreign mark"}
	}
	return c.Rollback(ctx, u, migrate.RollbackOptions{EndForeignMark: f[u], NamedOnly: c.Set.Wide})
}

// sayForeign tells of each mark, and counts those of moves out of this bucket.
func sayForeign(marks []inspect.ForeignMark, warn func(string, ...any)) (own int) {
	hot := 0
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
		if m.HotOf != 0 {
			hot++
			what += fmt.Sprintf("; IT HAS ONLY THE HOT ROWS OF A SPLIT: the cold ones were under claim %d", m.HotOf)
		}
		if i < leftShown {
			warn(
				"%s: the file carries claim %d, and the Durable Object knows %d; %s",
				m.User,
				m.Shown,
				m.Known,
				what,
			)
		}
	}
	if more := len(marks) - leftShown; more > 0 {
		warn("and %s more", units.Plural(more, "user"))
	}
	warn(
		"foreign marks: %d; of moves out of this bucket: %d; with hot rows only: %d; each of these files serves as it is, however old",
		len(marks),
		own,
		hot,
	)
	return own
}
