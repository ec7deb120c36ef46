package faults

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
	"github.com/dbmigrate/dbmigrate/pkg/kv"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// legacyWriter is an application of before: it asks the flag, and where there is none loads the user's file,
// changes it with SQLite and saves it. It knows no fence. Where there is a flag it goes through the router.
type legacyWriter struct {
	*harness.User
	t           *testing.T
	files       *r2.Client
	flags       *kv.Client
	conditional bool

	mu    sync.Mutex
	acked []int
}

func newLegacyWriter(t *testing.T, u *harness.User, conditional bool) *legacyWriter {
	t.Helper()
	files, err := harness.Bucket(cloud)
	if err != nil {
		t.Fatal(err)
	}
	flags, err := kv.New(
		kv.Config{
			AccountID:   "local",
			NamespaceID: cloud.NamespaceID,
			Token:       "local",
			BaseURL:     cloud.KVBaseURL,
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	return &legacyWriter{User: u, t: t, files: files, flags: flags, conditional: conditional}
}

// pending is a changed file that was not saved yet: a request in flight.
type pending struct {
	n       int
	content []byte
	etag    userdb.ETag
}

// begin loads the file and applies a write. SQLite refuses it on a fenced file.
func (w *legacyWriter) begin(n int) (pending, error) {
	var content bytes.Buffer
	object, err := w.files.Get(context.Background(), harness.Key(w.Name), "", &content)
	if err != nil {
		return pending{}, err
	}
	changed, err := insertInto(filepath.Join(w.t.TempDir(), "legacy.sqlite"), content.Bytes(), n)
	return pending{n, changed, object.ETag}, err
}

func insertInto(path string, content []byte, n int) ([]byte, error) {
	if err := os.WriteFile(path, content, 0o600); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return nil, err
	}
	_, err = db.Exec("insert into entries(n) values (?)", n)
	if err := errors.Join(err, db.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// save ends the request, and notes that it was acknowledged.
func (w *legacyWriter) save(p pending) error {
	opts := userdb.PutOptions{}
	if w.conditional {
		opts.IfMatch = p.etag
	}
	if _, err := w.files.Put(context.Background(), harness.Key(w.Name), bytes.NewReader(p.content), int64(len(p.content)), opts); err != nil {
		return err
	}
	w.acknowledge(p.n)
	return nil
}

func (w *legacyWriter) acknowledge(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acked = append(w.acked, n)
}

// write is one whole request, with the flag as it is now; it may be refused.
func (w *legacyWriter) write(n int) error {
	flags, err := w.flags.Get(context.Background(), []userdb.UserID{userdb.UserID(w.Name)})
	if err != nil {
		return err
	}
	if len(flags) > 0 {
		if _, err := w.Query("write", "insert into entries(n) values (?)", n); err != nil {
			return err
		}
		w.acknowledge(n)
		return nil
	}
	p, err := w.begin(n)
	if err != nil {
		return err
	}
	return w.save(p)
}

// checkAcked demands every acknowledged write, once, from the router.
func (w *legacyWriter) checkAcked() {
	w.t.Helper()
	for _, n := range w.acked {
		rows, err := w.Query("read", "select count(*) from entries where n = ?", n)
		if err != nil || fmt.Sprint(rows) != "[[1]]" {
			w.t.Errorf("%s: acknowledged write %d: %v, %v", w.Name, n, rows, err)
		}
	}
	w.t.Logf("%s: %d acknowledged writes, all there", w.Name, len(w.acked))
}

// at calls do before the first request of a name goes on, or after it had its effect.
func at(name string, after bool, do func()) faultproxy.Rule {
	var once sync.Once
	return func(r faultproxy.Request) (f faultproxy.Fault) {
		if r.Name() != name {
			return f
		}
		once.Do(func() {
			if after {
				f.After = do
			} else {
				f.Before = do
			}
		})
		return f
	}
}

func newUser(t *testing.T) (*harness.Operator, *harness.User) {
	t.Helper()
	team := newTeam(t, 1)
	return team.op, team.users[0]
}

// oldNumber is what legacy writers count from, so that a subject's own writes are others.
const oldNumber = 1000

// TestConditionalWriters: whatever flag they saw and whenever they began, no acknowledged write is lost.
func TestConditionalWriters(t *testing.T) {
	t.Parallel()
	o, u := newUser(t)
	w := newLegacyWriter(t, u, true)
	inFlight, err := w.begin(oldNumber)
	if err != nil {
		t.Fatal(err)
	}
	// One that never sees the flag goes on and on beside the whole migrate; one that began before the fence
	// saves after the switch.
	stop, refused := make(chan struct{}), 0
	var stale sync.WaitGroup
	stale.Go(func() {
		for n := oldNumber + 1; ; n++ {
			select {
			case <-stop:
				return
			case <-time.After(300 * time.Millisecond): // R2 itself takes about one write a second for a file
			}
			p, err := w.begin(n)
			if err == nil {
				err = w.save(p)
			}
			if err != nil {
				refused++
			}
		}
	})
	var late error
	o.Proxy.Reset(at("admin switch", true, func() { late = w.save(inFlight) }))
	o.KVWindow = "1s"
	f := must(t, o, 0, "migrate", u.Name, "--writers", "conditional", "--longest-request", "0s")
	close(stop)
	stale.Wait()
	if late == nil {
		t.Errorf("a save over the fence was acknowledged: %v", f)
	}
	if err := w.write(oldNumber * 10); err != nil {
		t.Errorf("once it sees the flag, it can write: %v", err)
	}
	t.Logf("%d writes were refused", refused)
	w.checkAcked()
	w.checkCount()
	must(t, o, 0, "rollback", u.Name)
	w.checkAcked()
	w.checkCount()
}

// TestInterruptedWait presses Ctrl-C, or has CI send SIGTERM, while the command waits for requests that have
// not seen the flag. Nobody was begun, the router asks the file, and the same command goes on.
func TestInterruptedWait(t *testing.T) {
	for name, signal := range map[string]os.Signal{"Ctrl-C": os.Interrupt, "SIGTERM": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			team := newTeam(t, 2)
			command := append(
				[]string{"migrate", "--writers", "conditional", "--longest-request", "0s"},
				team.names()...)
			team.op.Hears = func(text string) {
				if strings.Contains(text, "waiting 1h") {
					team.op.Signal(signal)
				}
			}
			team.op.KVWindow = "1h"
			f := must(t, team.op, 130, command...)
			if !f.Summary.Interrupted || f.Summary.NotBegun != len(team.users) {
				t.Errorf("no clear account: %v", f)
			}
			for _, u := range team.users {
				mustBeServed(t, u)
				if u.Side != "file" {
					t.Errorf("%s is served by the %s", u.Name, u.Side)
				}
			}
			team.op.KVWindow = "0s"
			must(t, team.op, 0, command...)
			for _, u := range team.users {
				mustBeServed(t, u)
				if u.Side != "store" {
					t.Errorf("%s is served by the %s", u.Name, u.Side)
				}
			}
		})
	}
}

// TestUnconditionalWriters: beside a router that saves files, too, they would lose what it acknowledges. So
// the command refuses, and touches nothing.
func TestUnconditionalWriters(t *testing.T) {
	t.Parallel()
	o, u := newUser(t)
	f := must(t, o, 2, "migrate", u.Name, "--writers", "unconditional")
	if !strings.Contains(f.Stderr+f.Stdout, "savesFiles: false") {
		t.Errorf("no way out is named: %v", f)
	}
	mustBeServed(t, u)
	if u.Side != "file" {
		t.Errorf("served by the %s", u.Side)
	}
}

// checkCount counts: the user's writes and the writer's, each once, and nothing else.
func (w *legacyWriter) checkCount() {
	w.t.Helper()
	rows, err := w.Query("read", "select count(*), count(distinct n) from entries")
	if all := w.Writes + len(w.acked); err != nil || fmt.Sprint(rows) != fmt.Sprintf("[[%d %[1]d]]", all) {
		w.t.Errorf("%s reads %v, %v, want %d", w.Name, rows, err, all)
	}
}
