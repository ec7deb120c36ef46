package migrate_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// dyingIsolate is the network of an isolate that dies at one of its calls.
type dyingIsolate struct {
	at     int // from 0
	behind bool
	calls  int
}

func (d *dyingIsolate) Call(_ context.Context, op func() error) error {
	d.calls++
	switch at := d.calls - 1; {
	case at < d.at:
		return op()
	case at == d.at && d.behind:
		_ = op() // nobody hears
		return world.ErrUnknown
	}
	return world.ErrLost
}

// newborn is a world without a file of the user.
func newborn(t *testing.T) *walk {
	t.Helper()
	return &walk{t, world.New(t.TempDir())}
}

// begins makes the user's first write through a router that lets users begin in the object.
func (x *walk) begins(network world.Network, name string) error {
	router := &world.Router{
		World:    x.w,
		Network:  network,
		FlagAge:  func() time.Duration { return 0 },
		Deadline: 4 * time.Second,
		Births:   true,
	}
	return router.Do(x.Context(), alice, world.Query{Write: true, Run: func(c *sql.Conn) error {
		if _, err := c.ExecContext(x.Context(), "CREATE TABLE IF NOT EXISTS names (name TEXT)"); err != nil {
			return err
		}
		_, err := c.ExecContext(x.Context(), "INSERT INTO names VALUES (?)", name)
		return err
	}})
}

// names are what reads find, of the router and of the two sides alike.
func (x *walk) names() (names string) {
	x.Helper()
	router := &world.Router{
		World: x.w, Network: direct{}, FlagAge: func() time.Duration { return 0 }, Deadline: time.Minute,
	}
	err := router.Do(x.Context(), alice, world.Query{Run: func(c *sql.Conn) error {
		names = ""
		row := c.QueryRowContext(x.Context(), "SELECT count(*) FROM sqlite_schema WHERE name = 'names'")
		var tables int
		if err := row.Scan(&tables); err != nil || tables == 0 {
			return err
		}
		return c.QueryRowContext(x.Context(), "SELECT group_concat(name) FROM names").Scan(&names)
	}})
	if err != nil {
		x.Fatal(err)
	}
	return names
}

// callsOfBirth counts those of an undisturbed birth.
func callsOfBirth(t *testing.T) int {
	x, quiet := newborn(t), &dyingIsolate{at: 1000}
	if err := x.begins(quiet, "first"); err != nil {
		t.Fatal(err)
	}
	x.bornAtObject()
	return quiet.calls
}

func (x *walk) bornAtObject() {
	x.Helper()
	st, err := x.w.Objects.Status(x.Context(), alice)
	if err != nil || st.Phase != userdb.Active || !st.Receipt.Born() {
		x.Fatalf("%+v, %v", st, err)
	}
}

// bornCommands are what operators do to a user with a first write that was cut off. Each may find nobody.
var bornCommands = map[string]command{
	"migrate":  commandsOfOthers()["migrate"],
	"rollback": commandsOfOthers()["rollback"],
	"forget": func(_ *walk, ctx context.Context, e *migrate.Engine) result.Result {
		return forget(ctx, e)
	},
}

type cutBirth struct {
	at      int
	behind  bool
	command string
	change  int // at which the command dies
}

// TestBirthMayDieAnywhere cuts off a user's first write at each of its calls. A command comes then, and dies
// at each request that changes something. It is repeated, and then the user writes.
func TestBirthMayDieAnywhere(t *testing.T) {
	var cuts []cutBirth
	for at := range callsOfBirth(t) {
		for _, behind := range []bool{false, true} {
			for name := range bornCommands {
				for change := range 6 {
					cuts = append(cuts, cutBirth{at, behind, name, change})
				}
			}
		}
	}
	for _, c := range effort.Some(t, "births that are cut off", cuts, 60) {
		t.Run(fmt.Sprintf("%d,%v,%s,%d", c.at, c.behind, c.command, c.change), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { c.run(t) })
		})
	}
}

func (c cutBirth) run(t *testing.T) {
	x := newborn(t)
	written := x.begins(&dyingIsolate{at: c.at, behind: c.behind}, "first")
	before := x.names()
	if acknowledged := written == nil; acknowledged && before != "first" || before != "" && written == world.ErrRefused {
		t.Fatalf("the first write was answered %v, and %q is there", written, before)
	}
	var late sync.WaitGroup
	line := world.NewLine(rand.New(rand.NewPCG(uint64(c.at), uint64(c.change))), world.Trouble{}, &late)
	line.DieAtChange(c.change)
	bornCommands[c.command](x, t.Context(), x.w.OverLine("dies", line))
	late.Wait()
	again := bornCommands[c.command](x, t.Context(), x.engine())
	if kind := userdb.KindOf(again.Err()); again.Err() != nil && kind != userdb.NotFound {
		t.Fatalf("%s again: %v", c.command, again.Err())
	}
	if c.command == "forget" {
		before = ""
	}
	if err := x.begins(direct{}, "second"); err != nil {
		t.Fatal(err)
	}
	if want := strings.TrimPrefix(before+",second", ","); x.names() != want {
		t.Errorf("%q is there, not %q", x.names(), want)
	}
	for name, run := range map[string]command{"rollback": bornCommands["rollback"], "migrate": bornCommands["migrate"]} {
		if r := run(x, t.Context(), x.engine()); r.Err() != nil {
			t.Errorf("%s at last: %v", name, r.Err())
		}
	}
	state, err := x.engine().Inspect().Status(t.Context(), alice)
	if err != nil || state.Problem != "" {
		t.Errorf("%+v, %v", state, err)
	}
}

// TestCutBirthIsTold: status and commands say what is there, and what ends it.
func TestCutBirthIsTold(t *testing.T) {
	told := map[string]int{}
	for at := range callsOfBirth(t) {
		synctest.Test(t, func(t *testing.T) {
			x := newborn(t)
			_ = x.begins(&dyingIsolate{at: at, behind: true}, "first") // what it leaves is looked at
			st, err := x.w.Objects.Status(t.Context(), alice)
			if err != nil {
				t.Fatal(err)
			}
			state, err := x.engine().Inspect().Status(t.Context(), alice)
			if err != nil {
				t.Fatal(err)
			}
			if st.Birth != strings.Contains(state.Problem, "first write") || st.Birth && state.Serves != userfile.SideNone {
				t.Errorf("call %d: %+v", at, state)
			}
			told[state.Problem]++
			if !st.Birth || state.File != "none" {
				return
			}
			migrated := bornCommands["migrate"](x, t.Context(), x.engine())
			verified := x.engine().Inspect().Verify(t.Context(), alice)
			for _, err := range []error{migrated.Err(), verified.Err()} {
				described := userdb.ErrorOf(err)
				if described.Kind != userdb.NotFound || !strings.Contains(err.Error(), "first write") ||
					!strings.Contains(described.Hint, "next write") {
					t.Errorf("call %d: %v (%s)", at, err, described.Hint)
				}
			}
		})
	}
	if len(told) != 2 {
		t.Errorf("%v", told)
	}
}
