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
	race    *race
	patient *migrate.Engine // repeats requests, as dbmigrate does
	doomed  *migrate.Engine // dies at a request of mortality's choice
	mortality
}

func newOperator(ctx context.Context, r *race, n int) (*operator, error) {
	o := &operator{race: r}
	var err error
	if o.patient, err = r.engine(ctx, fmt.Sprintf("race-%d", n), nil); err != nil {
		return nil, err
	}
	o.dieAfter(mostRequests) // it has to introduce itself first
	o.doomed, err = r.engine(ctx, fmt.Sprintf("race-doomed-%d", n), &http.Client{Transport: &o.mortality})
	return o, err
}

// engine joins the real clients, like cmd/dbmigrate. With a doomed client none of them repeats a request.
func (r *race) engine(ctx context.Context, run string, doomed *http.Client) (*migrate.Engine, error) {
	attempts, retry := 0, doclient.DefaultRetry
	if doomed != nil {
		attempts, retry.Attempts = 1, 1
	}
	files, err := r2.New(r2.Config{Endpoint: r.stack.S3Endpoint, Bucket: r.stack.Bucket, AccessKeyID: r.stack.AccessKey,
		SecretAccessKey: r.stack.SecretKey, HTTP: doomed, MaxAttempts: attempts})
	if err != nil {
		return nil, err
	}
	flags, err := kv.New(kv.Config{NamespaceID: r.stack.NamespaceID, BaseURL: r.stack.KVBaseURL, HTTP: doomed, MaxAttempts: attempts})
	if err != nil {
		return nil, err
	}
	stores, err := doclient.New(doclient.Config{BaseURL: r.stack.URL, Token: r.stack.AdminToken, HTTP: doomed, Retry: retry})
	if err != nil {
		return nil, err
	}
	hello, err := stores.Hello(ctx)
	if err != nil {
		return nil, err
	}
	return &migrate.Engine{Files: files, Flags: flags, Stores: stores, Layout: layout(), Limits: hello.Limits, Concurrency: 1,
		Run: run, Version: "race"}, nil
}

// run ends when ctx does, after the command that is under way.
func (o *operator) run(ctx context.Context) error {
	for ctx.Err() == nil {
		u := o.race.users[rand.IntN(len(o.race.users))]
		killed := rand.Float64() < o.race.Kills
		e := o.patient
		if killed {
			e = o.doomed
			o.dieAfter(rand.IntN(mostRequests))
		}
		r := command(e, u)
		if killed {
			o.race.figure.killed.Add(1)
			continue // what it says is not heard
		}
		o.race.figure.commanded(r)
		if err := r.Err(); err != nil && !slices.Contains(expected, userdb.KindOf(err)) && !sawCutover(r) {
			return fmt.Errorf("%s %s: %w", r.Action, u, err)
		}
	}
	return nil
}

// expected are the failures that a command may have when others work on the same user and the runtime restarts. All say that it can be
// run again; a conflict or a difference would say that data is in danger.
var expected = []userdb.Kind{userdb.Superseded, userdb.Precondition, userdb.Throttled, userdb.Unreachable}

// sawCutover says whether a verify came between the fence and the switch of another command, and says so.
func sawCutover(r migrate.Result) bool {
	return r.Action == migrate.ActionVerify && strings.Contains(r.Err().Error(), "a cutover is under way or was left open")
}

// command runs migrate or rollback as often as each other, and verify now and then, with the flag written as in a fleet's run.
func command(e *migrate.Engine, u userdb.UserID) migrate.Result {
	action := migrate.ActionVerify
	do := e.Verify
	switch n := rand.IntN(20); {
	case n < 9:
		action, do = migrate.ActionMigrate, e.Migrate
	case n < 18:
		action, do = migrate.ActionRollback, func(ctx context.Context, u userdb.UserID) migrate.Result {
			return e.Rollback(ctx, u, migrate.RollbackOptions{})
		}
	}
	var result migrate.Result
	e.Each(context.Background(), []userdb.UserID{u}, action, do, func(r migrate.Result) { result = r })
	return result
}
