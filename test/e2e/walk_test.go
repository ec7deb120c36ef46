package e2e

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/docpage"
	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// walked are the commands in which every request is disturbed, each from the state in which an operator runs
// it.
var walked = []walk{
	{name: "migrate", command: "migrate", ends: "object", reverse: "rollback", fresh: true},
	{
		name:    "migrate again",
		prepare: []string{"migrate", "rollback"},
		command: "migrate",
		ends:    "object",
		reverse: "rollback",
	},
	{name: "verify", prepare: []string{"migrate"}, command: "verify", ends: "object"},
	{name: "rollback", prepare: []string{"migrate"}, command: "rollback", ends: "file", reverse: "migrate"},
	{
		name:    "gc",
		prepare: []string{"migrate"},
		command: "gc",
		ends:    "object",
		reverse: "rollback",
		again:   []string{"migrate"},
	},
}

type walk struct {
	name    string
	prepare []string // commands before
	command string
	ends    string   // who serves after it
	reverse string   // the opposite command; empty when the command changes nothing
	again   []string // commands after the opposite one that lead to the prepared state
	fresh   bool     // each disturbance wants a user who never was moved
	back    string   // who serves after the opposite command, if that is not said by opposite
}

var opposite = map[string]string{"object": "file", "file": "object", "split": "file"}

func (w walk) afterReverse() string {
	if w.back != "" {
		return w.back
	}
	return opposite[w.ends]
}

// ways are what can happen to one request, in the order of the table's columns.
var ways = []struct {
	name  string
	fault func(u *patient) faultproxy.Fault
}{
	{
		"killed before it is sent",
		func(u *patient) faultproxy.Fault { return faultproxy.Fault{Before: u.op.Kill, Swallow: true} },
	},
	{
		"killed after its effect",
		func(u *patient) faultproxy.Fault { return faultproxy.Fault{After: u.op.Kill} },
	},
	{
		"killed, and it arrives late",
		func(u *patient) faultproxy.Fault { return faultproxy.Fault{Before: u.op.Kill, Late: true} },
	},
	{"its answer is lost", func(*patient) faultproxy.Fault { return faultproxy.Fault{Cut: true} }},
	{"it is lost, and arrives late", func(*patient) faultproxy.Fault { return faultproxy.Fault{Late: true} }},
	{"it arrives twice", func(*patient) faultproxy.Fault { return faultproxy.Fault{Repeat: true} }},
	{
		"it fails after its effect",
		func(*patient) faultproxy.Fault { return faultproxy.Fault{Status: 500, Body: "oh"} },
	},
	{
		"the object is evicted before it",
		func(u *patient) faultproxy.Fault { return faultproxy.Fault{Before: u.evict} },
	},
}

// TestWalk disturbs the requests of every command, in every way: the list is what an undisturbed run sends,
// so a new remote call is walked without anybody adding it. A whole run disturbs all of them in all ways.
// Afterwards the same command must converge, and then the opposite one; every acknowledged write must be
// there, with everything else in the database, and the user must be served, also when late messages of the
// dead command land at last.
func TestWalk(t *testing.T) {
	image := smallDatabase(t)
	table := killTable{walks: walked, section: "kill"}
	walkAll(t, image, &table, 14)
}

// walkAll walks the table's commands, and then publishes it. A run that is not whole makes so many of the
// disturbances.
func walkAll(t *testing.T, image []byte, table *killTable, little int) {
	table.gather(t, docpage.Publish, chosenPoints(t, allPoints(t, image, table.walks), little),
		func(t *testing.T, p point) []string { return walkPoint(t, image, p) })
}

// walkPoint disturbs one request. Each way ends in the state in which the next one begins, unless that has to
// be a new user.
func walkPoint(t *testing.T, image []byte, p point) []string {
	ends := make([]string, len(ways))
	u := newPatient(t, image, p.walk.prepare)
	for i, way := range p.ways {
		if i > 0 && p.walk.fresh {
			u = newPatient(t, image, p.walk.prepare)
		}
		walked := func(t *testing.T) { u.t = t; ends[way] = u.undergo(p.walk, p.nth, p.name, ways[way].fault(u)) }
		if !t.Run(ways[way].name, walked) {
			u = newPatient(t, image, p.walk.prepare) // the others are still of interest
		}
		u.t = t
	}
	return ends
}

// undergo disturbs one request, and returns how the command ended, and how the same command did then.
func (u *patient) undergo(w walk, nth int, name string, fault faultproxy.Fault) string {
	disturbed := u.disturb(w.command, nth, name, fault)
	again := u.mustConverge(w.command, w.ends)
	u.releaseLate(w.ends)
	if w.reverse != "" {
		u.mustConverge(w.reverse, w.afterReverse())
	}
	u.mustBeWell()
	for _, command := range w.again {
		must(u.t, u.op, 0, u.args(command)...)
	}
	return u.endOf(disturbed) + ", " + u.endOf(again)
}

// endOf is a run in a word or two.
func (u *patient) endOf(f harness.Finished) string {
	a, accounted := f.Accounts[u.Name]
	switch {
	case f.Exit == -1:
		return "killed"
	case !accounted && f.Exit == 0:
		return "nothing"
	case !accounted:
		return fmt.Sprintf("stopped, exit %d", f.Exit)
	case a.Error == nil:
		return a.Outcome
	case a.Open:
		return "stopped, open"
	}
	return "stopped"
}

// undisturbed lists the requests of an undisturbed run.
func undisturbed(t *testing.T, u *patient, w walk) []string {
	args := u.args(w.command)
	u.op.Proxy.Reset(nil)
	must(t, u.op, 0, args...)
	names := seen(u.op)
	slices.Sort(names[:startUp(names)])
	if len(names) < 4 {
		t.Fatalf("an undisturbed %s sent only %q", w.command, names)
	}
	return names
}

// startUp is how many requests come before the first about a user's sides. Their order varies, and the
// table's should not.
func startUp(names []string) int {
	return max(0, slices.IndexFunc(names, func(name string) bool {
		return strings.HasPrefix(name, "admin ") && name != "admin hello"
	}))
}

func seen(op *harness.Operator) []string {
	var names []string
	for _, r := range op.Proxy.Seen() {
		names = append(names, r.Name())
	}
	return names
}

// patient is one user with a separate operator.
type patient struct {
	*harness.User
	t        *testing.T
	op       *harness.Operator
	contents string   // of everything but the counted writes
	archive  *archive // nil in a database without cold rows
	serves   string
}

func newPatient(t *testing.T, image []byte, prepare []string) *patient {
	t.Helper()
	return newPatientOn(t, cloud, image, prepare)
}

func newPatientOn(t *testing.T, s *stack.Stack, image []byte, prepare []string) *patient {
	t.Helper()
	if len(prepare) > 0 && prepare[0] == born {
		u := newUnborn(t, s)
		u.begin()
		return u.prepared(prepare[1:])
	}
	user, err := harness.NewUser(s, userNamed(t), image)
	if err != nil {
		t.Fatal(err)
	}
	u := &patient{User: user, t: t, op: newOperatorOn(t, s), archive: newArchive(image)}
	u.Grows = u.archive == nil // both halves of a split user need one schema
	u.contents = u.read()
	return u.prepared(prepare)
}

func (u *patient) prepared(prepare []string) *patient {
	u.t.Helper()
	for _, command := range prepare {
		must(u.t, u.op, 0, u.args(command)...)
		u.write()
	}
	return u
}

func (u *patient) args(command string) []string {
	u.t.Helper()
	switch command {
	case "forget":
		return []string{"forget", u.Name, "--confirm", "delete everything of " + u.Name}
	case "gc":
		return gcArgs(u.t, u.op, u.Name)
	case "split":
		return []string{"migrate", u.Name, "--mode", "split", "--policy", writePolicy(u.t)}
	case "whole":
		return []string{"migrate", u.Name, "--mode", "full"}
	}
	return []string{command, u.Name}
}

func (u *patient) write() {
	u.t.Helper()
	if err := u.Write(); err != nil {
		u.t.Fatal(err)
	}
}

// evict tells of a failure without ending the goroutine: it is called by the proxy.
func (u *patient) evict() {
	if err := evict(u.Name); err != nil {
		u.t.Error(err)
	}
}

// disturb runs the command and does something to its nth request with that name.
func (u *patient) disturb(command string, nth int, name string, fault faultproxy.Fault) harness.Finished {
	u.t.Helper()
	f := u.disturbRun(u.args(command), nth, name, fault)
	u.check()
	return f
}

func (u *patient) disturbRun(args []string, nth int, name string, fault faultproxy.Fault) harness.Finished {
	u.t.Helper()
	left := nth
	u.op.Proxy.Reset(func(r faultproxy.Request) faultproxy.Fault {
		if r.Name() == name {
			if left--; left == 0 {
				return fault
			}
		}
		return faultproxy.Fault{}
	})
	f, err := u.op.Run(args...)
	if err != nil {
		u.t.Fatal(err)
	}
	if sent := seen(u.op); left > 0 {
		u.t.Fatalf("%s was to be sent %d times, and these were sent: %q", name, nth, sent)
	}
	return f
}

// mustConverge runs the command undisturbed and demands that it ends, that the right side serves, and that
// nothing is lost.
func (u *patient) mustConverge(command, serves string) harness.Finished {
	u.t.Helper()
	f := must(u.t, u.op, 0, u.args(command)...)
	u.mustServe(serves)
	return f
}

func (u *patient) releaseLate(serves string) {
	u.t.Helper()
	late, err := u.op.Proxy.Release()
	if err != nil {
		u.t.Fatal(err)
	}
	if late > 0 {
		u.mustServe(serves)
	}
}

// sideOf is the word of the router's answers for who serves: of a split user the file has the hot rows.
var sideOf = map[string]string{"file": "file", "split": "file", "object": "store"}

// mustServe asks the side itself: a write is only ever taken by the one that has the authority.
func (u *patient) mustServe(serves string) {
	u.t.Helper()
	u.serves = serves
	u.write()
	if u.Side != sideOf[serves] {
		u.t.Fatalf("the side %s took the write, and the user is to be served by %s", u.Side, serves)
	}
	if u.archive != nil {
		u.mustArchive(serves)
	}
	u.check()
}

// mustBeWell demands that status knows of nothing that is left to do.
func (u *patient) mustBeWell() {
	u.t.Helper()
	states, err := u.op.States(u.Name)
	if err != nil {
		u.t.Fatal(err)
	}
	if s := states[u.Name]; s.Serves != u.serves || s.Problem != "" {
		u.t.Fatalf("status says %+v", s)
	}
}

// check demands every acknowledged write, once, and everything else as it was. Reads must work at every
// moment, whatever was just killed.
func (u *patient) check() {
	u.t.Helper()
	if err := u.Check(); err != nil {
		u.t.Fatal(err)
	}
	if u.archive != nil {
		u.checkArchive()
	}
	if now := u.read(); now != u.contents {
		u.t.Fatalf("the database holds %s, and once held %s", now, u.contents)
	}
}

// read is every value of the tables that nobody writes, with its type.
func (u *patient) read() string {
	u.t.Helper()
	if u.Begins { // has nothing that nobody writes
		return ""
	}
	rows, err := u.Query("read", `
		select 'note', rowid, typeof(title), hex(title), typeof(body), hex(body), typeof(weight), printf('%!.17g', weight), typeof(image), hex(image) from notes
		union all select 'pair', null, typeof(a), hex(a), typeof(b), cast(b as text), null, null, null, null from pairs
		union all select 'title', null, typeof(title), hex(title), null, null, null, null, null, null from titles`)
	if err != nil {
		u.t.Fatal(err)
	}
	if u.Grows {
		return fmt.Sprint(rows) // the writes look at the version
	}
	version, err := u.Query("read", "pragma user_version")
	if err != nil {
		u.t.Fatal(err)
	}
	return fmt.Sprint(rows, version)
}

// smallDatabase has what a move can get wrong in miniature: indexes, a trigger, a view, a sequence, blobs,
// REALs.
func smallDatabase(t *testing.T) []byte {
	t.Helper()
	image, err := harness.Image(harness.Schema + `
		create table notes(title text, body text, weight real, image blob);
		create index notes_title on notes(title collate nocase) where title is not null;
		create trigger notes_log after insert on notes when new.weight < 0 begin delete from notes where rowid = new.rowid; end;
		create view titles as select title from notes order by title;
		create table pairs(a text, b integer, primary key(b desc, a)) without rowid;
		insert into notes values ('One','first',0.1,x'00ff'),(null,'',-1e300,null),('two',cast(x'6100ff' as text),9e999,zeroblob(10));
		insert into pairs values ('x',9223372036854775807),('y',-9223372036854775808),('z',0);
		pragma user_version = 7;
	`)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// TestBlockedUserIsUntouched: a file that a Durable Object cannot hold stays as it is, flagless, and says
// why.
func TestBlockedUserIsUntouched(t *testing.T) {
	op := newOperator(t)
	name := userNamed(t)
	putFile(
		t,
		name,
		[]byte(
			"this is no database, but long enough to look like one to somebody who only counts bytes............",
		),
	)
	before, object := getFile(t, name)
	f := must(t, op, 1, "migrate", name)
	if a := f.Accounts[name]; a.Error == nil || a.Error.Kind != "not-sqlite" {
		t.Errorf("accounts %+v", f.Accounts)
	}
	after, now := getFile(t, name)
	if !bytes.Equal(before, after) || !now.LastModified.Equal(object.LastModified) {
		t.Error("the object was touched")
	}
	for _, r := range op.Proxy.Seen() {
		note := strings.Contains(r.Path, "/"+userdb.ReservedPrefix+"quarantine/") // dbmigrate's own
		if !note && !slices.Contains([]string{http.MethodGet, http.MethodHead}, r.Method) {
			t.Errorf("%s changed something", r.Name())
		}
	}
}
