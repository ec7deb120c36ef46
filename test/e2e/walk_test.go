package e2e

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/dbmigrate/dbmigrate/internal/faultproxy"
)

// walked are the commands whose every request is disturbed, each from the state in which an operator runs it.
var walked = []struct {
	name    string
	prepare []string // commands before
	command string
	reverse string // the opposite command
	ends    string // who serves after it
}{
	{name: "migrate", command: "migrate", reverse: "rollback", ends: "store"},
	{name: "migrate again", prepare: []string{"migrate", "rollback"}, command: "migrate", reverse: "rollback", ends: "store"},
	{name: "rollback", prepare: []string{"migrate"}, command: "rollback", reverse: "migrate", ends: "file"},
	{name: "gc", prepare: []string{"migrate"}, command: "gc", reverse: "rollback", ends: "store"},
}

// disturbances are what can happen to one request.
var disturbances = map[string]func(o *operator) faultproxy.Fault{
	"killed before it is sent":    func(o *operator) faultproxy.Fault { return faultproxy.Fault{Before: o.kill, Swallow: true} },
	"killed after its effect":     func(o *operator) faultproxy.Fault { return faultproxy.Fault{After: o.kill} },
	"killed, and it arrives late": func(o *operator) faultproxy.Fault { return faultproxy.Fault{Before: o.kill, Late: true} },
	"its answer is lost":          func(*operator) faultproxy.Fault { return faultproxy.Fault{Cut: true} },
	"it arrives twice":            func(*operator) faultproxy.Fault { return faultproxy.Fault{Repeat: true} },
	"it fails after its effect":   func(*operator) faultproxy.Fault { return faultproxy.Fault{Status: 500, Body: "oh"} },
	"it is lost, and arrives late": func(*operator) faultproxy.Fault {
		return faultproxy.Fault{Late: true}
	},
}

// TestWalk disturbs every request of every command, in every way: the list is what an undisturbed run sends, so a new remote call is
// walked without anybody adding it. Afterwards the same command must converge, and then the opposite one; every acknowledged write
// must be there, and the user must be served, also when late messages of the dead command land at last.
func TestWalk(t *testing.T) {
	image := smallDatabase(t)
	for _, w := range walked {
		t.Run(w.name, func(t *testing.T) {
			for n, name := range undisturbed(t, image, w.prepare, w.command) {
				for what, fault := range disturbances {
					t.Run(fmt.Sprintf("%02d %s %s", n, name, what), func(t *testing.T) {
						t.Parallel()
						u := newPatient(t, image, w.prepare)
						u.disturb(n, fault, w.command)
						u.mustConverge(w.command, w.ends)
						u.releaseLate(w.ends)
						u.mustConverge(w.reverse, map[string]string{"store": "file", "file": "store"}[w.ends])
					})
				}
			}
		})
	}
}

// undisturbed lists the requests of an undisturbed run.
func undisturbed(t *testing.T, image []byte, prepare []string, command string) []string {
	u := newPatient(t, image, prepare)
	args := u.args(command)
	u.op.proxy.Reset(nil)
	u.op.must(0, args...)
	var names []string
	for _, r := range u.op.proxy.Seen() {
		names = append(names, r.Name())
	}
	if len(names) < 5 {
		t.Fatalf("an undisturbed %s sent only %q", command, names)
	}
	return names
}

// patient is one user, whose acknowledged writes are counted.
type patient struct {
	t      *testing.T
	op     *operator
	name   string
	writes int
}

func newPatient(t *testing.T, image []byte, prepare []string) *patient {
	u := &patient{t: t, op: newOperator(t), name: userNamed(t)}
	putFile(t, u.name, image)
	u.write()
	for _, command := range prepare {
		u.op.must(0, command, u.name)
		u.write()
	}
	return u
}

func userNamed(t *testing.T) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, t.Name()) + fmt.Sprint(time.Now().UnixNano())
}

// args is a command line for the user. gc wants the name of its plan, made just before, unless there is nothing left to free.
func (u *patient) args(command string) []string {
	args := []string{command, u.name}
	if command == "gc" {
		args = append(args, "--older-than", "0s")
		args = append(args, "--confirm", planOf(u.t, u.op.must(0, args...)))
	}
	return args
}

func (u *patient) write() {
	u.t.Helper()
	query(u.t, u.name, "write", "insert into entries(n) values (?)", u.writes)
	u.writes++
}

func (u *patient) disturb(n int, fault func(*operator) faultproxy.Fault, command string) {
	args := u.args(command)
	u.op.proxy.Reset(func(r faultproxy.Request) faultproxy.Fault {
		if r.N == n {
			return fault(u.op)
		}
		return faultproxy.Fault{}
	})
	u.op.run(args...)
	u.checkWrites()
}

// mustConverge runs the command undisturbed and demands that it ends, that the right side serves, and that nothing is lost.
func (u *patient) mustConverge(command, serves string) {
	u.t.Helper()
	u.op.must(0, u.args(command)...)
	u.mustServe(serves)
}

func (u *patient) releaseLate(serves string) {
	u.t.Helper()
	if _, err := u.op.proxy.Release(); err != nil {
		u.t.Fatal(err)
	}
	u.mustServe(serves)
}

func (u *patient) mustServe(serves string) {
	u.t.Helper()
	u.write()
	u.checkWrites()
	var state struct{ Serves, Problem string }
	out := u.op.must(0, "status", u.name)
	line, _, _ := strings.Cut(out.stdout, "\n")
	if err := json.Unmarshal([]byte(line), &state); err != nil {
		u.t.Fatalf("status printed %q: %v", out.stdout, err)
	}
	if state.Serves != serves || state.Problem != "" {
		u.t.Fatalf("status %s", out.stdout)
	}
}

// checkWrites demands every acknowledged write, once. Reads must work at every moment, whatever was just killed.
func (u *patient) checkWrites() {
	u.t.Helper()
	rows := query(u.t, u.name, "read", "select count(*), count(distinct n), max(n) from entries")
	want := fmt.Sprint([]any{float64(u.writes), float64(u.writes), float64(u.writes - 1)})
	if got := fmt.Sprint(rows[0]); got != want {
		u.t.Fatalf("entries: %s, want %s", got, want)
	}
}

// smallDatabase has what a move can get wrong in miniature: indexes, a trigger, a view, a sequence, blobs, REALs.
func smallDatabase(t *testing.T) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "small.sqlite")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.Exec(`
		create table entries(id integer primary key autoincrement, n integer not null unique);
		create table notes(title text, body text, weight real, image blob);
		create index notes_title on notes(title collate nocase) where title is not null;
		create trigger notes_log after insert on notes when new.weight < 0 begin delete from notes where rowid = new.rowid; end;
		create view titles as select title from notes order by title;
		create table pairs(a text, b integer, primary key(b desc, a)) without rowid;
		insert into notes values ('One','first',0.1,x'00ff'),(null,'',-1e300,null),('two',cast(x'6100ff' as text),9e999,zeroblob(10));
		insert into pairs values ('x',9223372036854775807),('y',-9223372036854775808),('z',0);
		pragma user_version = 7;
	`)
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
	image, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// TestBlockedUserIsUntouched: a file that a Durable Object cannot hold stays as it is, flagless, and says why.
func TestBlockedUserIsUntouched(t *testing.T) {
	op := newOperator(t)
	name := userNamed(t)
	putFile(t, name, []byte("this is no database, but long enough to look like one to somebody who only counts bytes............"))
	before, object := getFile(t, name)
	f := op.must(1, "migrate", name)
	if len(f.accounts) != 1 || f.accounts[0].Error == nil || f.accounts[0].Error.Kind != "not-sqlite" {
		t.Errorf("accounts %+v", f.accounts)
	}
	after, now := getFile(t, name)
	if !bytes.Equal(before, after) || !now.LastModified.Equal(object.LastModified) {
		t.Error("the object was touched")
	}
	for _, r := range op.proxy.Seen() {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			t.Errorf("%s changed something", r.Name())
		}
	}
}
