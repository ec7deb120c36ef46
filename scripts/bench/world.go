package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/dbmigrate/dbmigrate/internal/scratch"
	"github.com/dbmigrate/dbmigrate/internal/testkit/appdb"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
	"github.com/dbmigrate/dbmigrate/pkg/doclient"
	"github.com/dbmigrate/dbmigrate/pkg/kv"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// world is what is measured: a local Cloudflare, the binary, an engine in this process, and databases.
type world struct {
	options
	dir    string
	cloud  *stack.Stack
	binary string
	engine *migrate.Engine
	stores *doclient.Client
	bucket *r2.Client
	built  map[string]database
	users  int
	// through is where dbmigrate finds the runtime, if not at its own URL.
	through string
}

// database is one built file.
type database struct {
	name string
	path string
	appdb.Stats
}

// sizes are those of docs/notes/performance.md; giga is only built when it is asked for.
var sizes = map[string]int64{"S": appdb.S, "M": appdb.M, "L": appdb.L, "1 GB": 1_000_000_000}

func newWorld(ctx context.Context, o options) (w *world, err error) { return newWorldFrom(ctx, o, ".") }

// newWorldFrom builds the binary from a folder with its source.
func newWorldFrom(ctx context.Context, o options, source string) (w *world, err error) {
	w = &world{options: o, built: map[string]database{}}
	if w.dir, err = os.MkdirTemp(o.tempDir, "dbmigrate-bench-"); err != nil {
		return nil, err
	}
	if w.cloud, err = stack.Start(ctx, stack.Options{WorkerDir: o.worker}); err != nil {
		return nil, errors.Join(err, w.close())
	}
	w.binary = filepath.Join(w.dir, "dbmigrate")
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-o", w.binary, "./cmd/dbmigrate")
	build.Dir = source
	if out, err := build.CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("build dbmigrate: %w\n%s", err, out), w.close())
	}
	if err := w.connect(ctx); err != nil {
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// connect makes the clients as cmd/dbmigrate makes them.
func (w *world) connect(ctx context.Context) error {
	layout, err := userdb.ParseLayout(userdb.DefaultLayout)
	if err != nil {
		return err
	}
	s := w.cloud
	w.bucket, err = r2.New(
		r2.Config{
			Endpoint:        s.S3Endpoint,
			Bucket:          s.Bucket,
			AccessKeyID:     s.AccessKey,
			SecretAccessKey: s.SecretKey,
		},
	)
	if err != nil {
		return err
	}
	flags, err := kv.New(
		kv.Config{AccountID: "local", NamespaceID: s.NamespaceID, Token: "local", BaseURL: s.KVBaseURL},
	)
	if err != nil {
		return err
	}
	stores, err := doclient.New(doclient.Config{BaseURL: s.URL, Token: s.AdminToken})
	if err != nil {
		return err
	}
	hello, err := stores.Hello(ctx)
	if err != nil {
		return err
	}
	w.stores = stores
	w.engine = &migrate.Engine{
		Files:       w.bucket,
		Flags:       flags,
		Stores:      stores,
		Layout:      layout,
		Limits:      hello.Limits,
		Marker:      stores,
		MarkBytes:   hello.MarkBytes,
		Composites:  stores,
		Offered:     hello.Composites,
		Scratch:     scratch.In(w.dir),
		Run:         "bench",
		Version:     "bench",
		Concurrency: 1,
	}
	return nil
}

func (w *world) close() error {
	var err error
	if w.cloud != nil {
		err = w.cloud.Stop()
	}
	return errors.Join(err, os.RemoveAll(w.dir))
}

// database builds the file of that size, once.
func (w *world) database(ctx context.Context, size string) (database, error) {
	if db, found := w.built[size]; found {
		return db, nil
	}
	db := database{name: size, path: filepath.Join(w.dir, "source-"+size+".sqlite")}
	w.say("building %s", size)
	var err error
	if db.Stats, err = appdb.Build(ctx, db.path, 1, sizes[size]); err != nil {
		return db, err
	}
	w.built[size] = db
	return db, nil
}

// upload gives the file to a user who never was before.
func (w *world) upload(ctx context.Context, db database) (userdb.UserID, error) {
	w.users++
	u := userdb.UserID(fmt.Sprintf("bench-%05d", w.users))
	f, err := os.Open(db.path)
	if err != nil {
		return u, err
	}
	defer f.Close()
	_, err = w.bucket.Put(ctx, w.engine.Layout.Key(u), f, db.Bytes, userdb.PutOptions{})
	return u, err
}

func (w *world) say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...)
}
