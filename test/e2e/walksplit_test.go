package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
)

// splitWalks are the commands of split mode, and those between split and whole.
var splitWalks = []walk{
	{name: "split", command: "split", ends: "split", reverse: "rollback", fresh: true},
	{
		name:    "split again",
		prepare: []string{"split", "rollback"},
		command: "split",
		ends:    "split",
		reverse: "rollback",
	},
	{
		name:    "merge",
		prepare: []string{"split"},
		command: "rollback",
		ends:    "file",
		reverse: "split",
		back:    "split",
	},
	{
		name:    "full of a split user",
		prepare: []string{"split"},
		command: "whole",
		ends:    "object",
		reverse: "rollback",
		again:   []string{"split"},
	},
	{
		name:    "split of a migrated user",
		prepare: []string{"migrate"},
		command: "split",
		ends:    "split",
		reverse: "rollback",
		fresh:   true,
	},
}

// TestWalkSplit is TestWalk for split mode: rows that are cold by the policy are written on whichever side
// has them, and each of them must be on exactly one side, as it was written last, whatever was disturbed.
func TestWalkSplit(t *testing.T) {
	image := archiveDatabase(t)
	table := killTable{walks: splitWalks, section: "kill-split"}
	walkAll(t, image, &table, 8)
}

const archivePolicy = `
[tables.events]
where = "old = 1"
`

func writePolicy(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policy.toml")
	if err := os.WriteFile(path, []byte(archivePolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const archiveTable = "create table events"

// archiveDatabase has hot rows and cold ones, beside what every database has.
func archiveDatabase(t *testing.T) []byte {
	t.Helper()
	image, err := harness.Image(
		harness.Schema + archiveTable + `(id text primary key, old integer not null, version integer not null default 0, body blob);
		create index events_old on events(old, version);
		create table event_notes(id text primary key, event_id text not null references events(id), note text, weight real);
		insert into events values ('hot-1',0,0,x'00'),('cold-1',1,0,x'00ff00'),('cold-2',1,0,null);
		insert into event_notes values ('n1','cold-1','moves along',0.1),('n2','hot-1','stays',-1e300);
		create table notes(title text, body text, weight real, image blob);
		create view titles as select title from notes order by title;
		create table pairs(a text, b integer, primary key(b desc, a)) without rowid;
		insert into notes values ('One','first',0.1,x'00ff'),(null,'',-1e300,null),('two',cast(x'6100ff' as text),9e999,zeroblob(10));
		insert into pairs values ('x',9223372036854775807),('y',-9223372036854775808),('z',0);
		pragma user_version = 7;
	`,
	)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// archive counts the writes of a cold row: its version is the number of the last one that was acknowledged.
type archive struct{ version int }

func newArchive(image []byte) *archive {
	if !bytes.Contains(image, []byte(archiveTable[len("create table "):]+"(id text primary key, old")) {
		return nil
	}
	return &archive{}
}

// mustArchive writes the cold row where it is to be.
func (u *patient) mustArchive(serves string) {
	u.t.Helper()
	const write = "update events set version = version + 1, body = randomblob(20) where id = 'cold-1'"
	scope := "hot"
	if serves == "split" {
		scope = "cold"
	}
	side := u.Side
	if _, err := u.QueryIn(scope, "write", write); err != nil {
		u.t.Fatalf("a write of a cold row: %v", err)
	}
	u.Side = side
	u.archive.version++
}

// checkArchive demands every row of the archive on exactly one side, as it was written last. Reads of both
// sides have to work at every moment.
func (u *patient) checkArchive() {
	u.t.Helper()
	const events = "select id, old, version from events order by id"
	const notes = "select id, event_id, note, typeof(weight), printf('%!.17g', weight) from event_notes order by id"
	side := u.Side
	defer func() { u.Side = side }()
	hot, cold := u.onSide("hot", events), u.onSide("cold", events)
	rows := map[string]string{}
	for _, row := range append(hot, cold...) {
		id := fmt.Sprint(row[0])
		if seen, twice := rows[id]; twice {
			u.t.Fatalf("%s is on both sides: %v and %v", id, seen, row)
		}
		rows[id] = fmt.Sprint(row[1:])
	}
	want := map[string]string{
		"hot-1":  "[0 0]",
		"cold-1": fmt.Sprintf("[1 %d]", u.archive.version),
		"cold-2": "[1 0]",
	}
	if fmt.Sprint(rows) != fmt.Sprint(want) {
		u.t.Fatalf("the sides hold %v, and want %v", rows, want)
	}
	rest := append(u.onSide("cold", notes), u.onSide("hot", notes)...)
	slices.SortFunc(rest, func(a, b []any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	together := fmt.Sprint(rest)
	if together != "[[n1 cold-1 moves along real 0.1] [n2 hot-1 stays real -1.0e+300]]" {
		u.t.Fatalf("the rows that follow are %s", together)
	}
}

func (u *patient) onSide(scope, sql string) [][]any {
	u.t.Helper()
	rows, err := u.QueryIn(scope, "read", sql)
	if errors.Is(err, harness.ErrNotSplit) {
		return nil
	}
	if err != nil {
		u.t.Fatalf("read the %s rows: %v", scope, err)
	}
	return rows
}

// TestMergeNeedsTheWholeFile: a file that lost its fence to a writer who knows none has not been merged,
// whatever the Durable Object waits for. The cold rows stay: there is no other copy of them.
func TestMergeNeedsTheWholeFile(t *testing.T) {
	image := archiveDatabase(t)
	u := newPatient(t, image, []string{"split"})
	merge := walk{name: "merge", prepare: []string{"split"}, command: "rollback"}
	last := -1
	for n, name := range undisturbed(t, newPatient(t, image, merge.prepare), merge) {
		if name == "R2 PUT" {
			last = n
		}
	}
	u.op.Proxy.Reset(func(r faultproxy.Request) faultproxy.Fault {
		if r.N == last {
			return faultproxy.Fault{Before: u.op.Kill, Swallow: true}
		}
		return faultproxy.Fault{}
	})
	if _, err := u.op.Run(u.args("rollback")...); err != nil {
		t.Fatal(err)
	}
	u.op.Proxy.Reset(nil)
	putFile(t, u.Name, image) // as from a backup
	for range 2 {
		f := must(t, u.op, 1, u.args("rollback")...)
		if a := f.Accounts[u.Name]; a.Error == nil || a.Error.Kind != "conflict" {
			t.Fatalf("rollback over a file that lost its fence: %v", f)
		}
	}
	states, err := u.op.States(u.Name)
	if err != nil || states[u.Name].Problem == "" || states[u.Name].Phase != "MERGING" {
		t.Errorf("status says %+v, %v", states[u.Name], err)
	}
}
