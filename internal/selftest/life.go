package selftest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/gc"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

const (
	lifeBytes = 1_200_000
	// between steps the writers write.
	between = time.Second
)

// step is one command of a life.
type step struct {
	name string
	want []result.Outcome
	do   func(context.Context) result.Result
}

// life is migrate, write, verify, roll back, write, migrate, gc, delete, with two writers all the time.
func life(ctx context.Context, l *lab) (string, error) {
	if err := l.fresh(ctx, lifeBytes); err != nil {
		return "", err
	}
	w := l.startWriters(ctx, 2)
	told, err := l.live(ctx, w)
	if failed := w.end(); err == nil {
		err = failed
	}
	rest, _ := w.takePause()
	l.pause = max(l.pause, rest)
	if err == nil {
		err = l.bringHome(ctx, w)
	}
	return fmt.Sprintf("%d writes acknowledged; writes waited: %s", len(w.acked), told), err
}

func (l *lab) live(ctx context.Context, w *writers) (told string, err error) {
	move := func(ctx context.Context) result.Result { return l.Migrate(ctx, User) }
	back := func(ctx context.Context) result.Result { return l.Rollback(ctx, User, migrate.RollbackOptions{}) }
	steps := []step{
		{"migrate", []result.Outcome{result.OutcomeMigrated}, move},
		{"verify", []result.Outcome{result.OutcomeWritten, result.OutcomeEqual},
			func(ctx context.Context) result.Result { return l.Verify(ctx, User) }},
		{"backup", []result.Outcome{result.OutcomeBackedUp}, l.backup},
		{"rollback", []result.Outcome{result.OutcomeExported, result.OutcomeRestored}, back},
		{"migrate again", []result.Outcome{result.OutcomeMigrated}, move},
		{"gc", []result.Outcome{result.OutcomeFreed}, l.free},
	}
	for i, s := range steps {
		time.Sleep(between)
		w.takePause()
		r := s.do(ctx)
		if r.Err() != nil {
			return told, fmt.Errorf("%s: %w", s.name, r.Err())
		}
		if !contains(s.want, r.Outcome) {
			return told, fmt.Errorf("%s ended as %s (%s)", s.name, r.Outcome, r.Reason)
		}
		time.Sleep(2 * writeEvery) // writes that waited end
		pause, lost := w.takePause()
		l.pause = max(l.pause, pause)
		if i > 0 {
			told += ", "
		}
		told += fmt.Sprintf("%s %s", s.name, pause.Round(time.Millisecond))
		if why := reasons(r.Window, lost); why != "" {
			told += " (" + why + ")"
		}
	}
	return told, nil
}

// reasons says what of a wait was the switch, by the operator's account, and what were the file's own races.
func reasons(switched time.Duration, lost int) string {
	var parts []string
	if switched > 0 {
		parts = append(parts, "switch "+switched.Round(time.Millisecond).String())
	}
	if lost > 0 {
		parts = append(parts, fmt.Sprintf("%s of this write lost to the other writer or the fence", units.Plural(lost, "PUT")))
	}
	return strings.Join(parts, ", ")
}

func contains(all []result.Outcome, one result.Outcome) bool {
	for _, o := range all {
		if o == one {
			return true
		}
	}
	return false
}

func (l *lab) backup(ctx context.Context) result.Result {
	return l.Backup(ctx, User, func(context.Context, *userfile.Copy, string) (string, error) { return "nowhere", nil })
}

// free frees the kept file, as gc does for one that is old enough.
func (l *lab) free(ctx context.Context) result.Result {
	failed := func(err error) result.Result {
		r := result.Result{User: User, Action: result.ActionGC}
		return r.End(0, err)
	}
	c := l.GarbageCollector()
	st, err := l.Stores.Status(ctx, User)
	if err != nil {
		return failed(err)
	}
	r := result.Result{User: User}
	r.SetFlag(st)
	if err := l.Flags.Put(ctx, []userdb.Flag{{User: User, Meta: *r.Flag.Put}}); err != nil {
		return failed(err)
	}
	kept := l.KeepReceipt(ctx, r)
	if kept.Err() != nil {
		return kept
	}
	found := inspect.Found{User: User, Key: l.key(), Place: inspect.PlaceObject, Flagged: true, Flag: *r.Flag.Put}
	plan, err := c.Plan(ctx, []inspect.Found{found}, gc.Options{})
	if err != nil || len(plan.Free) == 0 {
		if err == nil {
			err = plan.Failure()
		}
		if err == nil {
			err = fmt.Errorf("gc keeps the file: %s", plan.Keep[0].Reason)
		}
		return failed(err)
	}
	return c.Free(ctx, plan.Free[0], plan.Options)
}

// bringHome rolls the user back from the tombstone, and compares every write.
func (l *lab) bringHome(ctx context.Context, w *writers) error {
	if r := l.Rollback(ctx, User, migrate.RollbackOptions{}); r.Err() != nil {
		return fmt.Errorf("rollback after gc: %w", r.Err())
	}
	file, err := l.Inspect().Source().Fetch(ctx, User)
	if err != nil {
		return err
	}
	defer file.Remove()
	got, err := notes(file.Path)
	if err != nil {
		return err
	}
	return equalNotes(got, w.acked, w.unsure)
}

// largeRows are those of P9 and P10.
const largeRows = 1_000_000

func largeDigest(ctx context.Context, l *lab) (string, error) {
	if err := l.removeUser(ctx); err != nil {
		return "", err
	}
	content, err := l.makeDatabase(40*largeRows, largeRows)
	if err != nil {
		return "", err
	}
	_, err = l.put(ctx, l.key(), content, userdb.PutOptions{IfNoneMatch: true, ContentType: userfile.ContentType})
	if err != nil {
		return "", err
	}
	if r := l.Migrate(ctx, User); r.Err() != nil {
		return "", r.Err()
	}
	began := time.Now()
	report, err := l.Stores.FreshDigest(ctx, User)
	if err != nil {
		return "", err
	}
	digest := time.Since(began)
	began = time.Now()
	if r := l.Rollback(ctx, User, migrate.RollbackOptions{}); r.Err() != nil {
		return "", r.Err()
	}
	return fmt.Sprintf("digest of %d tables in %s, wiped within a rollback of %s", len(report.Digest.Tables),
		digest.Round(time.Millisecond), time.Since(began).Round(time.Millisecond)), l.removeUser(ctx)
}
