package kv

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// shared is Cloudflare's local runtime, one for the package. Each test keeps to users under its own name.
var shared *stack.Stack

func TestMain(m *testing.M) {
	options := stack.Options{ConfigPath: "../../internal/testkit/stack/testdata/wrangler.jsonc"}
	os.Exit(stack.RunTests(m, options, func(s *stack.Stack) { shared = s }))
}

func localClient(t *testing.T) *Client {
	t.Helper()
	c, err := New(Config{NamespaceID: shared.NamespaceID, BaseURL: shared.KVBaseURL})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func someMeta(n int) FlagMeta {
	return FlagMeta{
		Version: userdb.FlagMetaVersion,
		Lineage: userdb.Lineage(n),
		Gen:     1<<32 - 1,
		At:      1795455000123,
		Run:     "run-1",
		Bytes:   1<<53 - 1,
	}
}

func listUsers(t *testing.T, c *Client, prefix string) map[userdb.UserID]FlagMeta {
	t.Helper()
	found := make(map[userdb.UserID]FlagMeta)
	err := c.List(t.Context(), prefix, func(flags []Flag) error {
		for _, flag := range flags {
			found[flag.User] = flag.Meta
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// TestFlagsComeBack needs two pages of a listing, several batches of each kind, and names that a URL would
// change.
func TestFlagsComeBack(t *testing.T) {
	c := localClient(t)
	const many = 1005
	var flags []Flag
	var users []userdb.UserID
	for i := range many {
		user := userdb.UserID(fmt.Sprintf("%s ü+&=;:'\"%04d", t.Name(), i))
		users = append(users, user)
		flags = append(flags, Flag{User: user, Meta: someMeta(i)})
	}
	if err := c.Put(t.Context(), flags); err != nil {
		t.Fatal(err)
	}
	if calls := c.Calls(); calls != 3 {
		t.Errorf("%d calls to write %d flags locally", calls, many)
	}

	listed := listUsers(t, c, t.Name()+" ü+")
	for i, user := range users {
		if listed[user] != someMeta(i) {
			t.Fatalf("listed for %s: %+v", user, listed[user])
		}
	}
	if len(listed) != many {
		t.Errorf("listed %d flags", len(listed))
	}

	absent := userdb.UserID(t.Name() + "-absent")
	asked := append(slices.Clone(users[:120]), absent)
	got, err := c.Get(t.Context(), asked)
	if err != nil {
		t.Fatal(err)
	}
	for i, user := range users[:120] {
		if want := (Flag{User: user, Value: "true", Meta: someMeta(i)}); got[user] != want {
			t.Fatalf("got %+v", got[user])
		}
	}
	if len(got) != 120 {
		t.Errorf("got %d flags", len(got))
	}

	if err := c.Delete(t.Context(), append(slices.Clone(users[1:]), absent)); err != nil {
		t.Fatal(err)
	}
	if left := listUsers(t, c, t.Name()); len(left) != 1 || left[users[0]] != someMeta(0) {
		t.Errorf("left: %v", left)
	}
}

func TestGetTellsAUserFromLongerNames(t *testing.T) {
	c := localClient(t)
	short, long := userdb.UserID(t.Name()+"-a"), userdb.UserID(t.Name()+"-ab")
	err := c.Put(
		t.Context(),
		[]Flag{
			{User: short, Meta: someMeta(1)},
			{User: long, Meta: someMeta(2)},
			{User: short, Meta: someMeta(3)},
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	got, err := c.Get(t.Context(), []userdb.UserID{long, short})
	if err != nil {
		t.Fatal(err)
	}
	if got[short].Meta != someMeta(3) || got[long].Meta != someMeta(2) {
		t.Errorf("got %+v", got)
	}
}

func TestListEndsWithTheCallersError(t *testing.T) {
	c := localClient(t)
	if err := c.Put(t.Context(), []Flag{{User: userdb.UserID(t.Name())}}); err != nil {
		t.Fatal(err)
	}
	mine := errors.New("enough seen")
	if err := c.List(t.Context(), t.Name(), func([]Flag) error { return mine }); err != mine {
		t.Errorf("the caller's error came back as %v", err)
	}
}
