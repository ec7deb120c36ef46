// Package births lets new users begin in the Durable Object (docs/mount.md, "Where new users begin"), and
// runs every command on them, on the local runtime.
package births

import (
	"bytes"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// story is one cloud and its operator.
type story struct {
	*testing.T
	cloud *stack.Stack
	op    *harness.Operator
}

// TestBornUsersLiveAsOthersDo lets users begin in the object, write, and go there and back, beside one who
// was moved.
func TestBornUsersLiveAsOthersDo(t *testing.T) {
	s := begin(t)
	born, second, quiet, moved := s.born("born"), s.born("second"), s.bornQuiet("quiet"), s.moved("moved")
	all := []*harness.User{born, second, quiet, moved}
	s.run(0, "verify", "--all")
	s.serves("object", all...)
	s.run(0, "scan")

	s.run(0, "rollback", "--all")
	s.serves("file", all...)
	s.writes(all...)
	s.on("file", all...)

	s.run(0, "migrate", "--all")
	s.serves("object", all...)
	s.writes(all...)
	s.on("store", all...)

	// Those who were never back are freed, and come back from the object.
	late := s.born("late")
	plan := s.run(0, "gc", "--older-than", "0s")
	s.run(0, "gc", "--older-than", "0s", "--confirm", plan.Summary.Plan)
	s.writes(append(all, late)...)
	s.run(0, "verify", "--all")
	s.run(0, "rollback", "late", "born")
	s.serves("file", late, born)
	s.writes(late, born)

	s.run(0, "forget", "second", "--confirm", "delete everything of second")
	again := s.born("second")
	s.serves("object", again)
}

// TestABirthThatWasCutOffEnds: what a birth leaves behind is ended by either command, and by a router.
func TestABirthThatWasCutOffEnds(t *testing.T) {
	s := begin(t)
	donor := s.born("donor")
	bucket, err := harness.Bucket(s.cloud)
	if err != nil {
		t.Fatal(err)
	}
	var fence bytes.Buffer
	if _, err := bucket.Get(t.Context(), harness.Key(donor.Name), "", &fence); err != nil {
		t.Fatal(err)
	}
	s.run(0, "rollback", "donor")
	s.serves("file", donor)
	// Its fence arrives once more, after all.
	if err := bucket.Delete(t.Context(), harness.Key(donor.Name)); err != nil {
		t.Fatal(err)
	}
	body := bytes.NewReader(fence.Bytes())
	if _, err := bucket.Put(t.Context(), harness.Key(donor.Name), body, body.Size(), userdb.PutOptions{}); err != nil {
		t.Fatal(err)
	}
	s.run(0, "rollback", "donor")
	if _, err := donor.Query("write", harness.Schema); err != nil {
		t.Fatal(err)
	}
	donor.Writes = 0
	s.writes(donor)
	s.on("file", donor)
}

func begin(t *testing.T) *story {
	cloud, err := stack.Start(t.Context(), stack.Options{Vars: map[string]string{"NEW_USERS": "store"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cloud.Stop(); err != nil {
			t.Error(err)
		}
	})
	scratch := t.TempDir()
	binary, err := harness.Build(t.Context(), "../..", scratch)
	if err != nil {
		t.Fatal(err)
	}
	op, err := harness.NewOperator(cloud, binary, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(op.Close)
	return &story{t, cloud, op}
}

// bornQuiet is a user who writes once: the schema.
func (s *story) bornQuiet(name string) *harness.User {
	s.Helper()
	u := harness.UserOf(s.cloud, name)
	if _, err := u.Query("write", harness.Schema); err != nil {
		s.Fatal(err)
	}
	if u.Side != "store" {
		s.Errorf("%s begins at the %s", name, u.Side)
	}
	return u
}

func (s *story) born(name string) *harness.User {
	s.Helper()
	u := s.bornQuiet(name)
	s.writes(u)
	return u
}

// moved is a user with a file, and an operator moves the user.
func (s *story) moved(name string) *harness.User {
	s.Helper()
	image, err := harness.Image(harness.Schema)
	if err != nil {
		s.Fatal(err)
	}
	u, err := harness.NewUser(s.cloud, name, image)
	if err != nil {
		s.Fatal(err)
	}
	s.run(0, "migrate", name)
	return u
}

func (s *story) run(exit int, args ...string) harness.Finished {
	s.Helper()
	f, err := s.op.Must(exit, args...)
	if err != nil {
		s.Fatal(err)
	}
	return f
}

// writes makes two writes for each user, and demands all that were acknowledged.
func (s *story) writes(users ...*harness.User) {
	s.Helper()
	for _, u := range users {
		for range 2 {
			if err := u.Write(); err != nil {
				s.Fatal(err)
			}
		}
		if err := u.Check(); err != nil {
			s.Error(err)
		}
	}
}

// on demands the side that gave each user's last answer.
func (s *story) on(side string, users ...*harness.User) {
	s.Helper()
	for _, u := range users {
		if u.Side != side {
			s.Errorf("%s is answered by the %s, not the %s", u.Name, u.Side, side)
		}
	}
}

// serves demands what status says of each user.
func (s *story) serves(side string, users ...*harness.User) {
	s.Helper()
	for _, u := range users {
		states, err := s.op.States(u.Name)
		if err != nil {
			s.Fatal(err)
		}
		if state := states[u.Name]; state.Serves != side || state.Problem != "" {
			s.Errorf("%s is served by %q, problem %q, not by the %s", u.Name, state.Serves, state.Problem, side)
		}
	}
}
