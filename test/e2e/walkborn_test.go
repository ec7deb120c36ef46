package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
)

// born prepares a user who begins in the Durable Object. Each write brings a migration of the schema along,
// also the first one.
const born = "birth"

// bornWalks are the commands on such users.
var bornWalks = []walk{
	{name: "verify", prepare: []string{born}, command: "verify", ends: "object"},
	{name: "rollback", prepare: []string{born}, command: "rollback", ends: "file", reverse: "migrate", fresh: true},
	{
		name:    "migrate again",
		prepare: []string{born, "rollback"},
		command: "migrate",
		ends:    "object",
		reverse: "rollback",
	},
	{name: "gc", prepare: []string{born}, command: "gc", ends: "object", reverse: "rollback", fresh: true},
}

// TestWalkBorn is TestWalk for users who begin in the Durable Object.
func TestWalkBorn(t *testing.T) {
	table := killTable{walks: bornWalks, section: "kill-born"}
	walkAll(t, nil, &table, 4)
}

// TestWalkForget disturbs the requests of a deletion of such a user. The same command ends it, and the user
// begins once more.
func TestWalkForget(t *testing.T) {
	w := walk{name: "forget", prepare: []string{born}, command: "forget"}
	for _, p := range chosenPoints(t, allPoints(t, nil, []walk{w}), 2) {
		t.Run(fmt.Sprintf("%02d %s", p.n, p.name), func(t *testing.T) {
			t.Parallel()
			for _, way := range p.ways {
				t.Run(ways[way].name, func(t *testing.T) {
					u := newPatient(t, nil, w.prepare)
					u.disturbRun(u.args("forget"), p.nth, p.name, ways[way].fault(u))
					must(t, u.op, 0, u.args("forget")...)
					if _, err := u.op.Proxy.Release(); err != nil {
						t.Fatal(err)
					}
					u.mustBeGone()
					u.begin()
					u.mustServe("object")
					u.mustBeWell()
				})
			}
		})
	}
}

// cutBirth is a first write with an isolate that dies, and what comes then.
type cutBirth struct {
	dieAt, call string
	then        string
}

// afterCut are the commands that come to a user with a first write that was cut off. Before the fence there
// is no file: that is an error, and a deletion finds no such user. Behind it verify, which changes nothing,
// says that a cutover is open.
var afterCut = []string{"", "migrate", "rollback", "verify", "forget"}

// TestWalkBirth lets the isolate die at each call of a first write, before and behind its effect. Then a
// command comes, or none, and the user writes on. Nobody but the user is needed.
func TestWalkBirth(t *testing.T) {
	var cuts []cutBirth
	for n, call := range callsOfBirth(t) {
		for i, behind := range []string{"", " behind"} {
			for j := range afterCut {
				then := afterCut[(n+i+j)%len(afterCut)]
				cuts = append(cuts, cutBirth{fmt.Sprint(n, behind), call, then})
			}
		}
	}
	for _, c := range effort.Some(t, "first writes that are cut off", cuts, 8) {
		t.Run(strings.TrimSpace(fmt.Sprintf("%s %s %s", c.dieAt, c.call, c.then)), func(t *testing.T) {
			t.Parallel()
			newUnborn(t, cloud).surviveCut(c)
		})
	}
}

// callsOfBirth are those of an undisturbed one.
func callsOfBirth(t *testing.T) []string {
	u := newUnborn(t, cloud)
	u.DieAt = "never"
	if _, err := u.Query("write", harness.Schema); err != nil {
		t.Fatal(err)
	}
	for _, step := range []string{"object dbmigrateBirth begin", "R2 put", "object dbmigrateBirth open"} {
		if !slices.Contains(u.Calls, step) {
			t.Fatalf("no %s among the calls of a first write: %q", step, u.Calls)
		}
	}
	return u.Calls
}

func newUnborn(t *testing.T, s *stack.Stack) *patient {
	t.Helper()
	u := &patient{User: harness.UserOf(s, userNamed(t)), t: t, op: newOperatorOn(t, s)}
	u.Grows, u.Begins = true, true
	return u
}

// begin makes the user's first write.
func (u *patient) begin() {
	u.t.Helper()
	u.Writes = 0
	if _, err := u.Query("write", harness.Schema); err != nil {
		u.t.Fatal(err)
	}
	if u.Side != "store" {
		u.t.Fatalf("the user begins at the %s", u.Side)
	}
	u.write()
}

func (u *patient) surviveCut(c cutBirth) {
	u.DieAt = c.dieAt
	if _, err := u.Query("write", harness.Schema); err == nil || !strings.Contains(err.Error(), "the isolate died") {
		u.t.Fatalf("the isolate was to die at %s: %v", c.call, err)
	}
	u.DieAt = ""
	states, err := u.op.States(u.Name)
	if err != nil {
		u.t.Fatal(err)
	}
	u.mustTellOfCut(states[u.Name])
	if c.then != "" {
		u.mustEndCut(c.then)
	}
	u.Grows = false // what is there already is not made again
	if _, err := u.Query("write", strings.Replace(harness.Schema, "table", "table if not exists", 1)); err != nil {
		u.t.Fatal(err)
	}
	u.Grows = true
	u.write()
	servedBy := "file"
	if u.Side == "store" {
		servedBy = "object"
	}
	u.mustServe(servedBy)
	u.mustConverge("rollback", "file")
	u.mustConverge("migrate", "object")
	u.mustBeWell()
}

// mustTellOfCut: if neither side serves the user, status says that a first write was cut off.
func (u *patient) mustTellOfCut(s harness.State) {
	u.t.Helper()
	if s.Serves == "none" && !strings.Contains(s.Problem, "first write") {
		u.t.Fatalf("status says %+v", s)
	}
}

func (u *patient) mustEndCut(command string) {
	u.t.Helper()
	f, err := u.op.Run(u.args(command)...)
	if err != nil {
		u.t.Fatal(err)
	}
	told := []string{"not-found"}
	if command == "verify" {
		told = append(told, "conflict")
	}
	a := f.Accounts[u.Name]
	unborn := command == "forget" && f.Exit == 2 && a.Outcome == "nothing"
	if f.Exit != 0 && !unborn && (a.Error == nil || !slices.Contains(told, a.Error.Kind)) {
		u.t.Fatalf("%v", f)
	}
}

// mustBeGone demands that neither side has anything of the user.
func (u *patient) mustBeGone() {
	u.t.Helper()
	rows, err := u.Query("read", "select count(*) from sqlite_schema")
	if err != nil || fmt.Sprint(rows) != "[[0]]" {
		u.t.Fatalf("a deleted user has %v, %v", rows, err)
	}
}
