// Package property moves hard databases into Durable Objects and back, and compares them exactly. It drives
// the engine itself, without the binary: what is proved here is the data, not the command line.
package property

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/scratch"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
	"github.com/dbmigrate/dbmigrate/pkg/doclient"
	"github.com/dbmigrate/dbmigrate/pkg/gc"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/kv"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

var cloud *stack.Stack

func TestMain(m *testing.M) {
	os.Exit(stack.RunTests(m, stack.Options{}, func(s *stack.Stack) { cloud = s }))
}

// newEngine is an engine against the local runtime, with its scratch files in a folder of the test.
func newEngine(t *testing.T) *migrate.Engine {
	t.Helper()
	files, err := r2.New(
		r2.Config{
			Endpoint:        cloud.S3Endpoint,
			Bucket:          cloud.Bucket,
			AccessKeyID:     cloud.AccessKey,
			SecretAccessKey: cloud.SecretKey,
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	flags, err := kv.New(kv.Config{NamespaceID: cloud.NamespaceID, Token: "local", BaseURL: cloud.KVBaseURL})
	if err != nil {
		t.Fatal(err)
	}
	stores, err := doclient.New(doclient.Config{BaseURL: cloud.URL, Token: cloud.AdminToken})
	if err != nil {
		t.Fatal(err)
	}
	layout, err := userdb.ParseLayout("{user}/database.sqlite")
	if err != nil {
		t.Fatal(err)
	}
	return &migrate.Engine{
		Files:       files,
		Flags:       flags,
		Stores:      stores,
		Layout:      layout,
		Limits:      wire.DefaultLimits,
		Scratch:     scratch.In(t.TempDir()),
		Concurrency: 1,
		Run:         "property",
	}
}

// user is one user of a test.
type user struct {
	*testing.T
	engine *migrate.Engine
	id     userdb.UserID
}

func newUser(t *testing.T, id string) user {
	t.Helper()
	return user{t, newEngine(t), userdb.UserID(id)}
}

func (u user) key() userdb.ObjectKey { return u.engine.Layout.Key(u.id) }

// upload puts a file where the application would have put it.
func (u user) upload(path string) userdb.Object {
	u.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		u.Fatal(err)
	}
	if _, err := u.engine.Files.Put(u.Context(), u.key(), bytes.NewReader(content), int64(len(content)), userdb.PutOptions{}); err != nil {
		u.Fatal(err)
	}
	return u.head()
}

func (u user) head() userdb.Object {
	u.Helper()
	object, err := u.engine.Files.Head(u.Context(), u.key())
	if err != nil {
		u.Fatal(err)
	}
	return object
}

// fetch downloads what the user's file is now.
func (u user) fetch() (path string, content []byte) {
	u.Helper()
	var b bytes.Buffer
	if _, err := u.engine.Files.Get(u.Context(), u.key(), "", &b); err != nil {
		u.Fatal(err)
	}
	path = filepath.Join(u.TempDir(), "fetched.sqlite")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		u.Fatal(err)
	}
	return path, b.Bytes()
}

func (u user) status() wire.Status {
	u.Helper()
	status, err := u.engine.Stores.Status(u.Context(), u.id)
	if err != nil {
		u.Fatal(err)
	}
	return status
}

// run lets a command work on the user, its flag included.
func (u user) run(
	action result.Action,
	do func(context.Context, userdb.UserID) result.Result,
) result.Result {
	u.Helper()
	var ended result.Result
	fleet.Each(u.Context(), u.engine, []userdb.UserID{u.id}, action, do, func(r result.Result) { ended = r })
	return ended
}

func (u user) migrate() result.Result { return u.run(result.ActionMigrate, u.engine.Migrate) }

// must demands how a command ended.
func (u user) must(r result.Result, want result.Outcome) {
	u.Helper()
	if r.Err() != nil || r.Outcome != want {
		u.Fatalf("%s ended as %s and not as %s: %v\n%q", r.Action, r.Outcome, want, r.Err(), r.Differences)
	}
}

// flag returns the user's flag.
func (u user) flag() (flag userdb.Flag, ok bool) {
	u.Helper()
	err := u.engine.Flags.List(u.Context(), string(u.id), func(flags []userdb.Flag) error {
		for _, f := range flags {
			if f.User == u.id {
				flag, ok = f, true
			}
		}
		return nil
	})
	if err != nil {
		u.Fatal(err)
	}
	return flag, ok
}

// free lets gc take the kept file, so that a rollback has to rebuild the file.
func (u user) free() {
	u.Helper()
	flag, ok := u.flag()
	item, kept := u.engine.GarbageCollector().Look(u.Context(), inspect.Found{User: u.id, Flagged: ok, Flag: flag.Meta}, 0)
	if item == nil {
		u.Fatalf("gc keeps the file: %s %v", kept.Reason, kept.Err())
	}
	item.Flag = flag.Meta
	if r := u.engine.GarbageCollector().Free(u.Context(), *item, gc.Options{}); r.Outcome != result.OutcomeFreed {
		u.Fatalf("gc ended as %s: %s %v", r.Outcome, r.Reason, r.Err())
	}
}

func (u user) rollback() result.Result {
	return u.run(result.ActionRollback, func(ctx context.Context, id userdb.UserID) result.Result {
		return u.engine.Rollback(ctx, id, migrate.RollbackOptions{})
	})
}
