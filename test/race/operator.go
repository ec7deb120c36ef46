package race

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/doclient"
	"github.com/dbmigrate/dbmigrate/pkg/kv"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// operator runs one command after the other on users of its choice, without asking what others are doing.
// Some of its commands die.
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
	o.dieAfter(w.custom.mostRequests) // it has to introduce itself first
	o.doomed, err = w.engine(ctx, name+"-doomed", &http.Client{Transport: &o.mortality})
	return o, err
}

// engine joins the real clients, like cmd/dbmigrate. With a doomed client none of them repeats a request.
func (w *world) engine(ctx context.Context, run string, doomed *http.Client) (*migrate.Engine, error) {
	attempts, retry := 0, doclient.DefaultRetry
	if doomed != nil {
		attempts, retry.Attempts = 1, 1
	}
	files, err := r2.New(
		r2.Config{Endpoint: w.stack.S3Endpoint, Bucket: w.stack.Bucket, AccessKeyID: w.stack.AccessKey,
			SecretAccessKey: w.stack.SecretKey, HTTP: doomed, MaxAttempts: attempts},
	)
	if err != nil {
		return nil, err
	}
	flags, err := kv.New(
		kv.Config{
			NamespaceID: w.stack.NamespaceID,
			BaseURL:     w.stack.KVBaseURL,
			HTTP:        doomed,
			MaxAttempts: attempts,
		},
	)
	if err != nil {
		return nil, err
	}
	stores, err := doclient.New(
		doclient.Config{BaseURL: w.stack.URL, Token: w.stack.AdminToken, HTTP: doomed, Retry: retry},
	)
	if err != nil {
		return nil, err
	}
	hello, err := stores.Hello(ctx)
	if err != nil {
		return nil, err
	}
	return &migrate.Engine{
		WritePause:  100 * time.Millisecond, // more copies in the time of a race
		Files:       files,
		Flags:       flags,
		SplitFlags:  flags.Split(),
		Stores:      stores,
		Layout:      layout(),
		Limits:      hello.Limits,
		Marker:      stores,
		MarkBytes:   hello.MarkBytes,
		FenceBytes:  hello.FenceBytes,
		Composites:  stores,
		Snapshots:   stores,
		Offered:     hello.Composites,
		Concurrency: 1,
		Run:         run,
		Version:     "race",
	}, nil
}

// tripCommands is how many commands an operator gives to one user, at least, before turning to another one.
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

// trip sends one user to and fro, and sometimes runs verify in between. It may begin in either direction and
// ends with the way there. It does not ask where the user is at the beginning, nor what the other operators
// do meanwhile.
func (o *operator) trip(ctx context.Context, u userdb.UserID) error {
	ways := [][]order{o.world.custom.back, o.world.custom.there}
	for left := tripCommands + rand.IntN(2); left > 0; left-- {
		way := ways[left%2]
		next := way[rand.IntN(len(way))]
		if rand.IntN(10) == 0 {
			next = verify
		}
		if ctx.Err() != nil {
			return nil
		}
		if err := o.give(next, u); err != nil {
			return err
		}
		pause(ctx, stretched(o.world.Rest, -o.world.lead()))
	}
	return nil
}

// give runs one command, which may die, and judges its failure.
func (o *operator) give(next order, u userdb.UserID) error {
	user := o.world.personOf(u)
	user.commands.RLock() // outsiders meddle between commands
	defer user.commands.RUnlock()
	if rand.Float64() < o.world.Kills {
		o.dieAfter(rand.IntN(o.world.custom.mostRequests))
		next.run(o.doomed, u, user.names) // what it says is not heard
		o.world.figure.killed.Add(1)
		return nil
	}
	deaths := user.deaths.Load()
	r := next.run(o.patient, u, user.names)
	o.world.figure.commanded(r)
	err := r.Err()
	if err == nil && r.Action == result.ActionRollback {
		user.fate.Store(int32(unharmed))
	}
	if err != nil && !slices.Contains(expected, userdb.KindOf(err)) && !sawCutover(r) && !sawEvictions(err) &&
		!o.world.sawGrowth(err) && !user.explains(err) && !user.diedSince(deaths) {
		return fmt.Errorf("%s %s (%s): %w", r.Action, u, user.names, err)
	}
	return nil
}

// sawGrowth says whether a command found the halves of a split user with different schemas: a migration has
// come to one of them.
func (w *world) sawGrowth(err error) bool {
	return w.Split && userdb.KindOf(err) == userdb.Conflict && strings.Contains(err.Error(), grownBySchema)
}

// agree brings both halves of a split user to one schema, as an application does that asks both.
func (w *world) agree(u userdb.UserID) error {
	a, _, err := w.query(u, query{Mode: "write", Statements: []statement{{SQL: "select 1"}}, grows: true})
	if err == nil && a.outcome != applied {
		err = fmt.Errorf("a migration of %s when all was over: %+v", u, a)
	}
	if err == nil {
		_, err = w.readAll(u)
	}
	return err
}

// farewell gives a user a last round of orders when nothing disturbs any more. No failure is expected now.
func (o *operator) farewell(u userdb.UserID) error {
	if o.world.Split {
		if err := o.world.agree(u); err != nil {
			return err
		}
	}
	for _, last := range o.world.custom.farewell {
		if err := last.run(o.patient, u, o.world.personOf(u).names).Err(); err != nil {
			return fmt.Errorf("%s %s when all was over: %w", last.action, u, err)
		}
	}
	return nil
}

// expected are the failures that a command may have when others work on the same user and the runtime
// restarts. All say that it can be run again; a conflict or a difference would say that data is in danger.
var expected = []userdb.Kind{userdb.Superseded, userdb.Precondition, userdb.Throttled, userdb.Unreachable}

// sawCutover says whether a command found what a killed one left between fence and switch, or what another
// one is at, and says so.
func sawCutover(r result.Result) bool {
	says := r.Err().Error()
	return r.Action == result.ActionVerify &&
		strings.Contains(says, "a cutover was left open, or is taking its time") ||
		r.Action == result.ActionMigrate &&
			strings.Contains(says, "a split or a merge of the user was left open, or is under way")
}

// sawEvictions says whether the test threw the object out of memory at every attempt of a message, as it can
// when the machine is slow.
func sawEvictions(err error) bool { return strings.Contains(err.Error(), "evicted by a test") }
