package migrate_test

import (
	"context"
	"sync"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// readsAfter begins to read an object, and goes on when it may.
type readsAfter struct {
	migrate.Snapshots
	begun, may chan struct{}
	once       *sync.Once
}

func (r readsAfter) Follow(ctx context.Context, u userdb.UserID, req wire.FollowRequest) (*wire.Followed, error) {
	at, err := r.Snapshots.Follow(ctx, u, req)
	r.once.Do(func() { close(r.begun) })
	<-r.may
	return at, err
}

// exportsAfter is for a rollback that has sealed the object.
type exportsAfter struct {
	migrate.Stores
	sealed func()
	once   *sync.Once
}

func (e exportsAfter) ExportSchema(ctx context.Context, u userdb.UserID) (wire.ExportSchema, error) {
	e.once.Do(e.sealed)
	return e.Stores.ExportSchema(ctx, u)
}

// TestBackupMeetsTheEndOfARollback: a backup that begins to read an object that a rollback has sealed, and
// goes on when the rollback has emptied it under the same claim, copies the file.
func TestBackupMeetsTheEndOfARollback(t *testing.T) {
	w, _, _ := oneUser(t)
	mustDo(t, plain(w).Migrate(t.Context(), alice), result.OutcomeMigrated)
	insert(t, w, 1)
	reads := readsAfter{plain(w).Snapshots, make(chan struct{}), make(chan struct{}), new(sync.Once)}
	copied := make(chan result.Result, 1)
	rollback := plain(w)
	rollback.Stores = exportsAfter{rollback.Stores, func() {
		go func() {
			e := plain(w)
			e.Snapshots, e.SnapshotBytes = reads, 0
			copied <- e.Backup(t.Context(), alice, func(context.Context, *userfile.Copy, string) (string, error) {
				return "kept", nil
			})
		}()
		<-reads.begun
	}, new(sync.Once)}
	rollback.Snapshots, rollback.Composites = nil, nil
	mustDo(t, rollback.Rollback(t.Context(), alice, migrate.RollbackOptions{}), result.OutcomeExported)
	close(reads.may)
	mustDo(t, <-copied, result.OutcomeBackedUp)
}

// movesAfter is asked for its status, and a command moves the user before the answer is used.
type movesAfter struct {
	migrate.Stores
	move func()
	once *sync.Once
}

func (m movesAfter) Status(ctx context.Context, u userdb.UserID) (wire.Status, error) {
	st, err := m.Stores.Status(ctx, u)
	m.once.Do(m.move)
	return st, err
}

// TestMovedBetweenTwoLooks: a command that moves the user between the look at the object and the look at the
// file is no contradiction between them, for a backup and for status.
func TestMovedBetweenTwoLooks(t *testing.T) {
	rollback := func(t *testing.T, e *migrate.Engine) result.Result {
		return e.Rollback(t.Context(), alice, migrate.RollbackOptions{})
	}
	move := func(t *testing.T, e *migrate.Engine) result.Result { return e.Migrate(t.Context(), alice) }
	for name, moves := range map[string][]func(*testing.T, *migrate.Engine) result.Result{
		"a migrate":                  {move},
		"a rollback":                 {move, rollback},
		"a migrate after a rollback": {move, rollback, move},
	} {
		t.Run(name, func(t *testing.T) {
			w, _, _ := oneUser(t)
			last := len(moves) - 1
			for _, move := range moves[:last] {
				if r := move(t, plain(w)); r.Err() != nil {
					t.Fatal(r.Err())
				}
			}
			moved := func(move func(*testing.T, *migrate.Engine) result.Result) *migrate.Engine {
				e := plain(w)
				e.Stores = movesAfter{e.Stores, func() {
					if r := move(t, plain(w)); r.Err() != nil {
						t.Error(r.Err())
					}
				}, new(sync.Once)}
				return e
			}
			keep := func(context.Context, *userfile.Copy, string) (string, error) { return "kept", nil }
			mustDo(t, moved(moves[last]).Backup(t.Context(), alice, keep), result.OutcomeBackedUp)
			for _, move := range []func(*testing.T, *migrate.Engine) result.Result{rollback, move, rollback, move} {
				if s, err := moved(move).Inspect().Status(t.Context(), alice); err != nil || s.Problem != "" || s.ForeignMark != 0 {
					t.Errorf("%+v, %v", s, err)
				}
			}
		})
	}
}
