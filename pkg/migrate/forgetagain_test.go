package migrate_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// meantime is a bucket beside which something happens before the first object is deleted.
type meantime struct {
	migrate.Files
	once    sync.Once
	happens func()
}

func (m *meantime) Delete(ctx context.Context, key userdb.ObjectKey) error {
	m.once.Do(m.happens)
	return m.Files.Delete(ctx, key)
}

func (m *meantime) DeleteOnce(ctx context.Context, key userdb.ObjectKey) error {
	m.once.Do(m.happens)
	return m.Files.DeleteOnce(ctx, key)
}

// A deletion that dawdles behind its tombstone is overtaken by another one, which ends. The next request is a
// new user's: what it was told is written must not go with the first deletion's last request.
func TestADeletionLeavesTheNextUserAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newWalk(t)
		x.litter()
		x.migrate()
		e := x.engine()
		e.Files = &meantime{Files: e.Files, happens: func() {
			if r := forget(t.Context(), x.engine()); r.Err() != nil {
				t.Fatal(r.Err())
			}
			x.beginsInFile()
		}}
		if r := forget(t.Context(), e); userdb.KindOf(r.Err()) != userdb.Superseded {
			t.Errorf("the first deletion: %s, %v", r.Outcome, r.Err())
		}
		if _, err := x.w.Bucket.Head(t.Context(), x.w.Layout.Key(alice)); err != nil {
			t.Errorf("what the new user wrote: %v", err)
		}
	})
}

// repeating is a bucket with a client that sends the deletion of a user's file again where its answer was
// lost. Between the two something happens.
type repeating struct {
	migrate.Files
	key     userdb.ObjectKey
	once    sync.Once
	happens func()
}

func (r *repeating) Delete(ctx context.Context, key userdb.ObjectKey) error {
	if err := r.Files.Delete(ctx, key); err != nil || key != r.key {
		return err
	}
	r.once.Do(r.happens)
	return r.Files.Delete(ctx, key)
}

func (r *repeating) DeleteOnce(ctx context.Context, key userdb.ObjectKey) error {
	if err := r.Files.DeleteOnce(ctx, key); err != nil || key != r.key {
		return err
	}
	var lost error
	r.once.Do(func() {
		r.happens()
		lost = &userdb.Error{Op: "delete", Thing: string(key), Kind: userdb.Unreachable, Err: errors.New("no answer")}
	})
	return lost
}

// The answer to a deletion's request for the file is lost, and another deletion ends meanwhile. The next
// request is a new user's again: the first deletion asks for no file that it has not looked at.
func TestALostAnswerDeletesNoNewUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := newWalk(t)
		x.migrate()
		e := x.engine()
		e.Files = &repeating{Files: e.Files, key: x.w.Layout.Key(alice), happens: func() {
			x.isDeleted()
			x.beginsInFile()
		}}
		if r := forget(t.Context(), e); userdb.KindOf(r.Err()) != userdb.Superseded {
			t.Errorf("the first deletion: %s, %v", r.Outcome, r.Err())
		}
		if _, err := x.w.Bucket.Head(t.Context(), x.w.Layout.Key(alice)); err != nil {
			t.Errorf("what the new user wrote: %v", err)
		}
	})
}

// fewAnswers is a bucket that answers few of the requests for the deletion of a user's file.
type fewAnswers struct {
	migrate.Files
	kind  userdb.Kind
	works bool // the request has its effect all the same
	left  int
	asked int
}

func (u *fewAnswers) DeleteOnce(ctx context.Context, key userdb.ObjectKey) error {
	u.asked++
	if u.left--; u.left < 0 {
		return u.Files.DeleteOnce(ctx, key)
	}
	if u.works {
		_ = u.Files.DeleteOnce(ctx, key)
	}
	return &userdb.Error{Op: "delete", Thing: string(key), Kind: u.kind, Err: errors.New("no answer")}
}

// A deletion looks after each answer that never came, and goes on from what it sees. It says what R2 refuses.
func TestADeletionLooksAfterALostAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		bucket fewAnswers
		asked  int
		kind   userdb.Kind
	}{
		"it had its effect":   {fewAnswers{kind: userdb.Unreachable, works: true, left: 1}, 1, ""},
		"it had none":         {fewAnswers{kind: userdb.Unreachable, left: 2}, 3, ""},
		"too many at a time":  {fewAnswers{kind: userdb.Throttled, left: 2}, 3, ""},
		"there are no others": {fewAnswers{kind: userdb.Unreachable, left: 100}, 8, userdb.Unreachable},
		"a lock":              {fewAnswers{kind: userdb.Blocked, left: 1}, 1, userdb.Blocked},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x := newWalk(t)
				x.migrate()
				e := x.engine()
				c.bucket.Files = e.Files
				e.Files = &c.bucket
				r := forget(t.Context(), e)
				if userdb.KindOf(r.Err()) != c.kind || r.Open != (c.kind != "") || c.bucket.asked != c.asked {
					t.Errorf("%s, open %v, asked %d times: %v", r.Outcome, r.Open, c.bucket.asked, r.Err())
				}
				x.isGone(r.Err() == nil)
			})
		})
	}
}

// isGone demands it, of a deletion that ended, and otherwise lets another one end it.
func (x *walk) isGone(ended bool) {
	x.Helper()
	if !ended {
		x.isDeleted()
	}
	x.nobody()
}

// beginsInFile writes as a new user does.
func (x *walk) beginsInFile() {
	x.Helper()
	router := &world.Router{
		World: x.w, Network: direct{}, FlagAge: func() time.Duration { return 0 }, Deadline: time.Minute,
	}
	err := router.Do(x.Context(), alice, world.Query{Write: true, Run: func(c *sql.Conn) error {
		_, err := c.ExecContext(x.Context(), "CREATE TABLE again (id INTEGER PRIMARY KEY); INSERT INTO again VALUES (1)")
		return err
	}})
	if err != nil {
		x.Fatal(err)
	}
}
