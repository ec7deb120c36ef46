package fleet

import (
	"context"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// keptFlags are flags in memory.
type keptFlags map[userdb.UserID]userdb.FlagMeta

func (f keptFlags) List(context.Context, string, func([]userdb.Flag) error) error { return nil }

func (f keptFlags) Get(context.Context, []userdb.UserID) (map[userdb.UserID]userdb.Flag, error) {
	return nil, nil
}

func (f keptFlags) Put(_ context.Context, flags []userdb.Flag) error {
	for _, flag := range flags {
		f[flag.User] = flag.Meta
	}
	return nil
}

func (f keptFlags) Delete(_ context.Context, users []userdb.UserID) error {
	for _, u := range users {
		delete(f, u)
	}
	return nil
}

// TestFlagsOfSplitUsers: a split user has the flag of split users and never the one that says that the whole
// user is in the Durable Object, since an older router takes that for a reason to send it hot rows.
func TestFlagsOfSplitUsers(t *testing.T) {
	whole, split := keptFlags{"alice": {}}, keptFlags{"bob": {}}
	e := &migrate.Engine{Flags: whole, SplitFlags: split, Concurrency: 1}
	report := func(u userdb.UserID, change func(*result.Result)) {
		Each(
			context.Background(),
			e,
			[]userdb.UserID{u},
			result.ActionMigrate,
			func(context.Context, userdb.UserID) result.Result {
				r := result.Result{User: u}
				change(&r)
				return r
			},
			func(r result.Result) {
				if r.Err() != nil {
					t.Error(r.Err())
				}
			},
		)
	}
	report("alice", func(r *result.Result) { r.SetSplitFlag(wire.Status{Lin: 3, Gen: 4}) })
	if _, flagged := whole["alice"]; flagged || split["alice"].Lineage != 3 {
		t.Errorf("after a split: %v, %v", whole, split)
	}
	report("bob", func(r *result.Result) { r.WasSplit = true; r.DropFlag() })
	if _, flagged := split["bob"]; flagged {
		t.Errorf("after a merge: %v", split)
	}
}
