// Package world is a Cloudflare in memory: the bucket, the KV namespace, the Durable Objects and the router
// as Go values behind the engine's ports. It is for tests that need thousands of moves a minute. The real
// runtime decides what is right: one conformance suite runs against both.
package world

import (
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// World is one account. Its parts may be used by many goroutines.
type World struct {
	Bucket     *Bucket
	Flags      *Flags
	SplitFlags *Flags
	Objects    *Objects
	Layout     userdb.Layout

	scratch string
	files   atomic.Int64
	born    atomic.Int64
}

// New makes an empty world. Its objects keep their databases under scratch, which must exist.
func New(scratch string) *World {
	layout, err := userdb.ParseLayout(userdb.DefaultLayout)
	if err != nil {
		panic(err)
	}
	w := &World{
		Bucket:     NewBucket(),
		Flags:      NewFlags(),
		SplitFlags: NewFlags(),
		Layout:     layout,
		scratch:    scratch,
	}
	w.Objects = &Objects{world: w, users: map[userdb.UserID]*object{}}
	return w
}

// Engine returns an engine of one operator, who reaches the world through files, flags, stores and marker.
func (w *World) Engine(
	run string,
	files migrate.Files,
	stores migrate.Stores,
	marker migrate.Marker,
) *migrate.Engine {
	composites := compositesOf(stores, marker)
	return &migrate.Engine{
		Files:       files,
		Flags:       w.Flags,
		SplitFlags:  w.SplitFlags,
		Stores:      stores,
		Layout:      w.Layout,
		Bucket:      "bucket",
		Limits:      wire.DefaultLimits,
		Marker:      marker,
		MarkBytes:   1 << 20,
		FenceBytes:  1 << 20,
		TellsNames:  true,
		Composites:  composites,
		Snapshots:   w.Objects,
		Offered:     offered,
		Scratch:     folder(w.scratch),
		Run:         run,
		Version:     "test",
		Concurrency: 1,
	}
}

// offered are the composite requests that this world's Worker takes.
var offered = []string{
	wire.CompositeImport,
	wire.CompositeSwitch,
	wire.CompositeReturn,
	wire.CompositeExport,
}

// compositesOf are those of the world's own stores: with a double of some messages an engine takes the single
// steps, which the double sees.
func compositesOf(stores migrate.Stores, marker migrate.Marker) migrate.Composites {
	objects, isOwn := stores.(*Objects)
	if worker, ok := marker.(*Objects); isOwn && ok && worker == objects {
		return objects
	}
	return nil
}

// Stepwise is the engine with a Worker of before, which takes no composite requests.
func Stepwise(e *migrate.Engine) *migrate.Engine {
	e.Composites, e.Offered = nil, nil
	return e
}

type folder string

// Path is the folder itself.
func (f folder) Path() (string, error) { return string(f), nil }

// Remove leaves the folder to its owner.
func (f folder) Remove() error { return nil }

// path names a scratch file that was never named before.
func (w *World) path(kind string) string {
	return filepath.Join(w.scratch, kind+"-"+strconv.FormatInt(w.files.Add(1), 10)+".sqlite")
}

// withScratch hands a new scratch path to use and removes what is there afterwards.
func (w *World) withScratch(kind string, use func(path string) error) error {
	path := w.path(kind)
	defer os.Remove(path)
	return use(path)
}

// kvWindow is how long a location may answer from what it read before
// (developers.cloudflare.com/kv/concepts/how-kv-works).
const kvWindow = time.Minute
