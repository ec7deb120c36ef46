package race

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// person is what is known of a user besides the history.
type person struct {
	user     userdb.UserID
	names    names
	commands sync.RWMutex // held for reading by each command
	fate     atomic.Int32 // a fate
	oldFile  []byte       // a fenced file of an earlier stay in the Durable Object
	oldLin   userdb.Claim // the object's lineage then
	object   *oldObject
	kept     atomic.Bool  // the object's storage is kept: the user stays until it was set back
	deaths   atomic.Int64 // odd while the user is being deleted
}

// fate is what somebody from outside has done to a user. Commands refuse that user until it is mended.
type fate int32

const (
	unharmed     fate = iota
	fileDeleted       // a rollback makes the file again
	fileReplaced      // by an older one with another fence
	isSetBack         // the Durable Object
)

func (p *person) is(f fate) bool { return fate(p.fate.Load()) == f }

// explains says whether a command may refuse the user for what was done from outside.
func (p *person) explains(err error) bool {
	kind := userdb.KindOf(err)
	return !p.is(unharmed) && (kind == userdb.Conflict || kind == userdb.NotFound)
}

// oldObject is the storage of a Durable Object at a moment when it served, file by file.
type oldObject struct {
	lin   userdb.Claim
	files map[string][]byte
}

// outsider does to users what no command and no application does: a clean-up job, a restored backup,
// point-in-time recovery. It works between the commands of a user, since what it does has no condition, but
// beside the clients.
type outsider struct {
	world *world
	id    map[userdb.UserID]string // of the Durable Object
	keep  []*person                // their storage is to be kept
	back  []*person                // their storage is to be set back, or was
	now   map[userdb.UserID]*oldObject
}

// setBackFor is how long an object stays set back.
const setBackFor = 8 * time.Second

// meddle picks a user that the Durable Object serves. It says nothing of what fails: the runtime may be
// restarting.
func (o *outsider) meddle() error {
	p := o.world.personOf(o.world.anybody())
	p.commands.Lock()
	defer p.commands.Unlock()
	st, err := o.status(p)
	if err != nil || st.Serves != userfile.SideObject || p.is(isSetBack) {
		return nil
	}
	switch {
	case p.is(fileReplaced): // the runbook's way out: take it away
		o.deleteFile(p)
	case st.Problem != "":
	case p.oldFile == nil:
		o.keepFile(p, st.Lin.Claim())
	case p.oldLin != st.Lin.Claim() && rand.IntN(2) == 0:
		o.replaceFile(p)
	case rand.IntN(2) == 0:
		o.deleteFile(p)
	}
	return nil
}

func (o *outsider) status(p *person) (inspect.State, error) {
	return o.world.operators[0].patient.Inspect().Status(context.Background(), p.user)
}

func (o *outsider) files() migrate.Files { return o.world.operators[0].patient.Files }

func (o *outsider) deleteFile(p *person) {
	p.fate.Store(int32(fileDeleted)) // whether or not the answer comes
	if o.files().Delete(context.Background(), layout().Key(p.user)) == nil {
		o.world.figure.deleted.Add(1)
	}
}

func (o *outsider) keepFile(p *person, lin userdb.Claim) {
	var content bytes.Buffer
	if _, err := o.files().Get(context.Background(), layout().Key(p.user), "", &content); err == nil {
		p.oldFile, p.oldLin = content.Bytes(), lin
	}
}

func (o *outsider) replaceFile(p *person) {
	p.fate.Store(int32(fileReplaced))
	_, err := o.files().
		Put(context.Background(), layout().Key(p.user), bytes.NewReader(p.oldFile), int64(len(p.oldFile)), userdb.PutOptions{})
	if err == nil {
		o.world.figure.replaced.Add(1)
	}
	p.oldFile = nil
}

// findOldObjects chooses, before the runtime is killed, an object to keep and one to set back, and brings
// their users there. They get no other command until it runs again.
func (o *outsider) findOldObjects() error {
	o.keep, o.back, o.now = nil, nil, map[userdb.UserID]*oldObject{}
	for place := range o.world.Users {
		o.world.mu.Lock()
		p := o.world.people[o.world.users[place]]
		o.world.mu.Unlock()
		if !p.commands.TryLock() {
			continue // a command is under way, and may be killed with the runtime
		}
		if !o.prepare(p) {
			p.commands.Unlock()
			continue
		}
		if err := o.identify(p); err != nil {
			return err
		}
	}
	return nil
}

// prepare moves the user to where an object can be kept, or set back, if one is still wanted.
func (o *outsider) prepare(p *person) bool {
	kept := p.object != nil && p.object.files != nil
	switch {
	case !p.is(unharmed):
		return false
	case kept && len(o.back) == 0 && o.runs(rollback, p):
		st, err := o.status(p)
		if err != nil || st.Phase != userdb.Empty || st.File != "stamped" {
			return false
		}
		o.back = append(o.back, p)
		return true
	case !kept && len(o.keep) < 2 && o.runs(move, p):
		st, err := o.status(p)
		if err != nil || st.Serves != userfile.SideObject || st.Problem != "" {
			return false
		}
		p.object = &oldObject{lin: st.Lin.Claim()}
		p.kept.Store(true)
		o.keep = append(o.keep, p)
		return true
	}
	return false
}

func (o *outsider) runs(one order, p *person) bool {
	r := one.run(o.world.operators[0].patient, p.user, p.names)
	o.world.figure.commanded(r)
	return r.Err() == nil
}

// identify asks for the name of the object's file.
func (o *outsider) identify(p *person) error {
	answer, err := o.world.http.Get(o.world.url + "/test/id/" + string(p.user))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	id, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the id of %s: HTTP %d, %w", p.user, answer.StatusCode, errors.Join(err))
	}
	if o.id == nil {
		o.id = map[userdb.UserID]string{}
	}
	o.id[p.user] = string(id)
	return nil
}

// setBack is called while no runtime runs.
func (o *outsider) setBack() error {
	var problems []error
	for _, p := range o.keep {
		files, err := o.read(p)
		p.object.files = files
		problems = append(problems, err)
		p.commands.Unlock()
	}
	for _, p := range o.back {
		files, err := o.read(p)
		o.now[p.user] = &oldObject{files: files}
		p.fate.Store(int32(isSetBack))
		o.world.figure.setBack.Add(1)
		problems = append(problems, err, o.write(p, p.object))
		p.object = nil
		p.kept.Store(false)
		p.commands.Unlock()
	}
	return errors.Join(problems...)
}

// isUndue says whether an object is set back.
func (o *outsider) isUndue() bool { return len(o.back) > 0 }

// setForward restores what the objects held before they were set back; no command has changed that since, for
// all refuse.
func (o *outsider) setForward() error {
	var problems []error
	for _, p := range o.back {
		problems = append(problems, o.write(p, o.now[p.user]))
		p.fate.Store(int32(unharmed))
	}
	return errors.Join(problems...)
}

func (o *outsider) paths(p *person) ([]string, error) {
	return filepath.Glob(filepath.Join(o.world.stack.PersistDir, "v3", "do", "*", o.id[p.user]+".sqlite*"))
}

func (o *outsider) read(p *person) (map[string][]byte, error) {
	paths, err := o.paths(p)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, path := range paths {
		if files[path], err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("the object of %s has no file", p.user)
	}
	return files, nil
}

func (o *outsider) write(p *person, old *oldObject) error {
	paths, err := o.paths(p)
	for _, path := range paths {
		err = errors.Join(err, os.Remove(path))
	}
	for path, content := range old.files {
		err = errors.Join(err, os.WriteFile(path, content, 0o600))
	}
	return err
}

// mend ends, by the ways that the runbook says, what was done to users.
func (o *outsider) mend() error {
	o.world.mu.Lock()
	defer o.world.mu.Unlock()
	for _, p := range o.world.people {
		if p.is(fileReplaced) {
			o.deleteFile(p)
		}
		if p.is(unharmed) {
			continue
		}
		if err := rollback.run(o.world.operators[0].patient, p.user, p.names).Err(); err != nil {
			return fmt.Errorf("rollback %s, after what was done to the file: %w", p.user, err)
		}
	}
	return nil
}
