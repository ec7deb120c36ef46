package race

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// forget deletes everything of a user, as the command does.
var forget = order{
	result.ActionForget,
	func(e *migrate.Engine, ctx context.Context, u userdb.UserID, _ names) result.Result {
		return e.Forget(ctx, u, migrate.ForgetOptions{})
	},
}

// diedSince says whether the user was being deleted at any time since deaths had that value. What a command
// says of such a user may be anything: only what the user has afterwards counts.
func (p *person) diedSince(deaths int64) bool { return deaths%2 == 1 || p.deaths.Load() != deaths }

// isToDie is asked at the end of an epoch. The first user of each place dies as soon as possible.
func (w *witness) isToDie() bool { return w.deaths == 0 || rand.Float64() < w.world.Deaths }

// die deletes the user, beside the commands of operators, and looks whether anything is left. Then a new user
// of the same name gets an empty ledger. Numbers of writes go on: one from before would be seen.
func (w *witness) die(ctx context.Context) error {
	p := w.world.personOf(w.user)
	if !p.commands.TryRLock() { // somebody from outside is at the user
		return nil
	}
	defer p.commands.RUnlock()
	if !p.is(unharmed) {
		return nil
	}
	p.deaths.Add(1)
	defer p.deaths.Add(1)
	// What outsiders have kept of the user would come back from a backup.
	p.oldFile, p.object = nil, nil
	if err := w.deleteAll(); err != nil {
		return err
	}
	if err := w.mustBeGone(); err != nil {
		return err
	}
	if err := w.beginAgain(ctx, p); err != nil {
		return err
	}
	w.books.state, w.books.entries = state{}, [parts][]int64{}
	w.deaths++
	w.world.figure.died.Add(1)
	return nil
}

// deleteAll repeats the deletion until it says that it is done: the runtime may be restarting, and commands
// may take the user away from it. Some deletions die.
func (w *witness) deleteAll() error {
	return w.patiently("delete", func() error {
		o := w.world.operators[rand.IntN(len(w.world.operators))]
		switch rand.IntN(3) {
		case 0:
			return w.deleteByRouter()
		case 1:
			o.dieAfter(rand.IntN(w.world.custom.mostRequests)) // as may a command of this operator that is under way
			forget.run(o.doomed, w.user, names{})              // what it says is not heard
		}
		r := forget.run(o.patient, w.user, names{})
		w.world.figure.commanded(r)
		return r.Err()
	})
}

// deleteByRouter asks the application, which asks the router.
func (w *witness) deleteByRouter() error {
	answer, err := w.world.http.Post(w.world.url+"/test/delete/"+string(w.user), "text/plain", nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("the router did not delete: %s", text)
	}
	return err
}

// mustBeGone asks the application for the user's tables.
func (w *witness) mustBeGone() error {
	left := int64(0)
	err := w.patiently("look at who was deleted", func() error {
		a, reply, err := w.world.query(w.user, query{Mode: "read", Statements: []statement{
			{SQL: "select count(*) from sqlite_schema"}}})
		if err == nil && a.outcome != applied {
			err = errors.New("no answer")
		}
		if err == nil {
			left = reply.Results[0].Rows[0][0]
		}
		return err
	})
	if err == nil && left > 0 {
		err = fmt.Errorf("the user was deleted, and has %d tables and indexes", left)
	}
	return err
}

func (w *witness) beginAgain(ctx context.Context, p *person) error {
	return w.patiently("begin again", func() error {
		return putEmptyLedger(ctx, w.world.operators[0].patient.Files, w.user, p.names)
	})
}

// patiently repeats what a restart of the runtime or a command may disturb. Restarts wait for all but the
// first attempt: on a crowded machine they would leave no time for the many requests of a deletion.
func (w *witness) patiently(what string, do func() error) error {
	err := do()
	for deadline := time.Now().Add(epochEndPatience); err != nil; err = w.world.undisturbed(do) {
		if time.Now().After(deadline) {
			return fmt.Errorf("%s, for %v: %w", what, epochEndPatience, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}

// undisturbed does something while the runtime is not restarted.
func (w *world) undisturbed(do func() error) error {
	w.restarting.RLock()
	defer w.restarting.RUnlock()
	return do()
}
