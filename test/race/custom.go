package race

import (
	"context"
	"fmt"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// custom is what the clients and the operators of a race do.
type custom struct {
	round       []step  // of each client, again and again
	there, back []order // an operator gives one of them in turn
	farewell    []order // that each user gets when all is over
	// dawdlers is the share of requests that take their time between the things that they do: what they saw
	// first may not hold any more when they come to what follows.
	dawdlers float64
	// grows is the share of writes that bring a migration of the schema along, and growth is what each makes.
	grows  float64
	growth string
	// mostRequests is more than a command sends, so that some of the doomed live.
	mostRequests int
}

func customOf(c Config) custom {
	if c.Split {
		return splitCustom
	}
	return wholeCustom
}

// wholeCustom moves users as a whole.
var wholeCustom = custom{
	round:        []step{{deed: write}, {deed: write}, {deed: write}, {deed: look}, {deed: copyBoth}},
	there:        []order{move},
	back:         []order{rollback},
	farewell:     []order{move, verify, rollback},
	grows:        0.1,
	growth:       "rows",
	mostRequests: 30,
}

// splitCustom splits and merges users, now and then as a whole, and brings single rows back. A way back may
// as well be one that a command goes by itself before it goes on: a split of a user who is split or in the
// Durable Object, a thaw, a move as a whole. Each half gets a migration of the schema at its own next
// request: until then commands that join the halves say that the schemas differ.
var splitCustom = custom{
	round: []step{
		{deed: write, part: present},
		{deed: lookAtBoth},
		{deed: write, part: archive},
		{deed: locate, part: archive},
		{deed: look, part: archive},
		{deed: lookAtBoth},
		{deed: writeAnywhere, part: present},
		{deed: writeAnywhere, part: archive},
		{deed: lookMerged},
		{deed: write, part: archive},
		{deed: lookMerged},
		{deed: writeAnywhere, part: archive},
		{deed: locate, part: present},
		{deed: look, part: present},
		{deed: copyBoth},
	},
	there:        []order{divide, divide, divide, whole},
	back:         []order{rollback, rollback, thawCounter, thawEntries, divide, whole},
	farewell:     []order{divide, verify, thawEntries, thawCounter, whole, verify, divide, rollback},
	grows:        0.1,
	growth:       "tables",
	dawdlers:     0.25,
	mostRequests: 60,
}

// order is a command.
type order struct {
	action result.Action
	do     command
}

// command works on one user, with tables of these names.
type command func(*migrate.Engine, context.Context, userdb.UserID, names) result.Result

var (
	move     = order{result.ActionMigrate, byAnyName((*migrate.Engine).Migrate)}
	verify   = order{result.ActionVerify, byAnyName((*migrate.Engine).Verify)}
	rollback = order{
		result.ActionRollback,
		func(e *migrate.Engine, ctx context.Context, u userdb.UserID, _ names) result.Result {
			return e.Rollback(ctx, u, migrate.RollbackOptions{})
		},
	}

	whole       = order{result.ActionMigrate, byAnyName((*migrate.Engine).Whole)}
	divide      = order{result.ActionMigrate, divideUser}
	thawCounter = order{result.ActionThaw, thawing("counter", "true")}
	thawEntries = order{result.ActionThaw, thawing("entries", "{e.n} % 3 = 1")}
)

func byAnyName(do func(*migrate.Engine, context.Context, userdb.UserID) result.Result) command {
	return func(e *migrate.Engine, ctx context.Context, u userdb.UserID, _ names) result.Result {
		return do(e, ctx, u)
	}
}

// archived calls the rows of the archive cold. The trigger needs none but the row itself.
func archived(n names) *split.Policy {
	return &split.Policy{Tables: map[string]split.TableRule{
		n.of["entries"]: {Where: n.sql("{e.archived} = 1")},
		n.of["counter"]: {Where: n.sql("{c.archived} = 1"), AcceptTriggers: true},
		n.of["notes"]:   {Where: n.sql("{o.archived} = 1")},
	}}
}

func divideUser(e *migrate.Engine, ctx context.Context, u userdb.UserID, n names) result.Result {
	return e.Split(ctx, u, migrate.SplitOptions{Policy: archived(n), At: time.Now()})
}

func thawing(table, where string) command {
	return func(e *migrate.Engine, ctx context.Context, u userdb.UserID, n names) result.Result {
		policy, err := archived(n).Except(n.of[table], n.sql(where))
		if err != nil {
			panic(err) // constants of our own
		}
		return e.Split(ctx, u, migrate.SplitOptions{Policy: policy, At: time.Now(), Thaw: true})
	}
}

// run gives the order to one user, with the flag written as in a fleet's run.
func (o order) run(e *migrate.Engine, u userdb.UserID, n names) result.Result {
	var ended result.Result
	do := func(ctx context.Context, u userdb.UserID) result.Result { return o.do(e, ctx, u, n) }
	fleet.Each(context.Background(), e, []userdb.UserID{u}, o.action, do, func(r result.Result) { ended = r })
	return ended
}

// search is a client's way to a row that operators move: as an application does it, it asks the side where
// the policy has the row, and, if that does not have it, the other one.
type search struct {
	race   *race
	part   part
	scopes []scope
	turns  int
	scope  scope
}

func (r *race) search(p part) search {
	scopes := []scope{hot}
	if r.Split && p == archive {
		scopes = []scope{cold, hot}
	}
	return search{race: r, part: p, scopes: scopes, scope: scopes[0]}
}

// mostTurns is more than anybody needs: between two of them the row has to move, which takes longer than many
// requests.
const mostTurns = 20

// turn is what follows after a side that does not have the row.
func (s *search) turn() error {
	s.turns++
	s.race.figure.turns.Add(1)
	if len(s.scopes) == 1 || s.turns > mostTurns {
		return fmt.Errorf("the counter of the %s is nowhere, after %d requests", s.part, s.turns)
	}
	s.scope = s.scopes[s.turns%len(s.scopes)]
	return nil
}
