package race

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/doclient"
	"github.com/dbmigrate/dbmigrate/pkg/kv"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// operator runs one command after the other on users of its choice, without asking what others are doing. Some of its commands die.
type operator struct {
	world   *world
	patient *migrate.Engine // repeats requests, as dbmigrate does
	doomed  *migrate.Engine // dies at a request of mortality's choice
	mortality
}

func newOperator(ctx context.Context, w *world, name string) (*operator, error) {
	o := &operator{world: w}
	var err error
	if o.patient, err = w.engine(ctx, name, nil); err != nil {
		return nil, err
	}
	o.dieAfter(mostRequests) // it has to introduce itself first
	o.doomed, err = w.engine(ctx, name+"-doomed", &http.Client{Transport: &o.mortality})
	return o, err
}

// engine joins the real clients, like cmd/dbmigrate. With a doomed client none of them repeats a request.
func (w *world) engine(ctx context.Context, run string, doomed *http.Client) (*migrate.Engine, error) {
	attempts, retry := 0, doclient.DefaultRetry
	if doomed != nil {
		attempts, retry.Attempts = 1, 1
	}
	files, err := r2.New(r2.Config{Endpoint: w.stack.S3Endpoint, Bucket: w.stack.Bucket, AccessKeyID: w.stack.AccessKey,
		SecretAccessKey: w.stack.SecretKey, HTTP: doomed, MaxAttempts: attempts})
	if err != nil {
		return nil, err
	}
	flags, err := kv.New(kv.Config{NamespaceID: w.stack.NamespaceID, BaseURL: w.stack.KVBaseURL, HTTP: doomed, MaxAttempts: attempts})
	if err != nil {
		return nil, err
	}
	stores, err := doclient.New(doclient.Config{BaseURL: w.stack.URL, Token: w.stack.AdminToken, HTTP: doomed, Retry: retry})
	if err != nil {
		return nil, err
	}
	hello, err := stores.Hello(ctx)
	if err != nil {
		return nil, err
	}
	return &migrate.Engine{Files: files, Flags: flags, Stores: stores, Layout: layout(), Limits: hello.Limits, Marker: stores, MarkBytes: hello.MarkBytes, Concurrency: 1,
		Run: run, Version: "race"}, nil
}

// tripCommands is how many commands an operator gives to one user, at least, before he turns to another one.
const tripCommands = 4

// run ends when ctx does, after the command that is under way.
func (o *operator) run(ctx context.Context) error {
	for ctx.Err() == nil {
		if err := o.trip(ctx, o.world.anybody()); err != nil {
			return err
		}
	}
	return nil
}

// trip sends one user to and fro, and sometimes verifies him in between. It may begin in either direction and ends with a migrate. Where the user is at the
// beginning, and what the other operators do to him meanwhile, it does not ask.
func (o *operator) trip(ctx context.Context, u userdb.UserID) error {
	for left := tripCommands + rand.IntN(2); left > 0; left-- {
		action := []migrate.Action{migrate.ActionRollback, migrate.ActionMigrate}[left%2]
		if rand.IntN(10) == 0 {
			action = migrate.ActionVerify
		}
		if ctx.Err() != nil {
			return nil
		}
		if err := o.give(action, u); err != nil {
			return err
		}
		pause(ctx, stretched(o.world.Rest, -o.world.lead()))
	}
	return nil
}

// give runs one command, which may die, and judges its failure.
func (o *operator) give(action migrate.Action, u userdb.UserID) error {
	if rand.Float64() < o.world.Kills {
		o.dieAfter(rand.IntN(mostRequests))
		command(o.doomed, action, u) // what it says is not heard
		o.world.figure.killed.Add(1)
		return nil
	}
	r := command(o.patient, action, u)
	o.world.figure.commanded(r)
	if err := r.Err(); err != nil && !slices.Contains(expected, userdb.KindOf(err)) && !sawCutover(r) && !sawEvictions(err) {
		return fmt.Errorf("%s %s: %w", r.Action, u, err)
	}
	return nil
}

// returnTrip moves a user there and back when nothing disturbs any more. No failure is expected now.
func (o *operator) returnTrip(u userdb.UserID) error {
	for _, action := range []migrate.Action{migrate.ActionMigrate, migrate.ActionVerify, migrate.ActionRollback} {
		if err := command(o.patient, action, u).Err(); err != nil {
			return fmt.Errorf("%s %s when all was over: %w", action, u, err)
		}
	}
	return nil
}

// expected are the failures that a command may have when others work on the same user and the runtime restarts. All say that it can be
// run again; a conflict or a difference would say that data is in danger.
var expected = []userdb.Kind{userdb.Superseded, userdb.Precondition, userdb.Throttled, userdb.Unreachable}

// sawCutover says whether a verify found what a killed command left between fence and switch, and says so.
func sawCutover(r migrate.Result) bool {
	return r.Action == migrate.ActionVerify && strings.Contains(r.Err().Error(), "a cutover was left open, or is taking its time")
}

// sawEvictions says whether the test threw the object out of memory at every attempt of a message, as it can when the machine is slow.
func sawEvictions(err error) bool { return strings.Contains(err.Error(), "evicted by a test") }

// command runs one command, with the flag written as in a fleet's run.
func command(e *migrate.Engine, action migrate.Action, u userdb.UserID) migrate.Result {
	do := map[migrate.Action]func(context.Context, userdb.UserID) migrate.Result{
		migrate.ActionMigrate: e.Migrate,
		migrate.ActionVerify:  e.Verify,
		migrate.ActionRollback: func(ctx context.Context, u userdb.UserID) migrate.Result {
			return e.Rollback(ctx, u, migrate.RollbackOptions{})
		},
	}[action]
	var result migrate.Result
	e.Each(context.Background(), []userdb.UserID{u}, action, do, func(r migrate.Result) { result = r })
	return result
}
