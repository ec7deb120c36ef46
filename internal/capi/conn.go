// Package capi is a thin, exact layer over SQLite's C API as modernc.org/sqlite/lib translates it to Go.
// database/sql would parse DATE and BOOLEAN columns and box every cell; here every cell keeps its storage
// class and its bytes.
//
// Nothing in this package is safe for concurrent use: a Conn, its statements and the bytes they hand out
// belong to one goroutine at a time. Different Conns are independent.
package capi

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// Mode says how a database is opened.
type Mode uint8

// The modes.
const (
	// Immutable reads the file as it is and never writes: no locks, no journal, no write-ahead log beside it.
	Immutable Mode = iota
	// ReadWrite opens an existing file, which has no journal beside it.
	ReadWrite
	// Create makes the file, or opens it.
	Create
	// Memory is a private database without a file.
	Memory
	// Snapshot is Immutable with temporary tables in files of their own, for what must be kept while the
	// database is read.
	Snapshot
)

func (m Mode) flags() int32 {
	base := int32(
		sqlite3.SQLITE_OPEN_NOMUTEX | sqlite3.SQLITE_OPEN_EXRESCODE | sqlite3.SQLITE_OPEN_PRIVATECACHE,
	)
	switch m {
	case ReadWrite:
		return base | sqlite3.SQLITE_OPEN_READWRITE
	case Create:
		return base | sqlite3.SQLITE_OPEN_READWRITE | sqlite3.SQLITE_OPEN_CREATE
	case Memory:
		return base | sqlite3.SQLITE_OPEN_READWRITE | sqlite3.SQLITE_OPEN_CREATE | sqlite3.SQLITE_OPEN_MEMORY
	}
	return base | sqlite3.SQLITE_OPEN_READONLY | sqlite3.SQLITE_OPEN_URI
}

// The page caches are small on purpose: tables are read and written once, in order.
const (
	readCacheKiB  = 512
	writeCacheKiB = 2048 // also what one run of a sort takes, unless that is told otherwise
)

func (m Mode) cacheKiB() int {
	if m == Immutable {
		return readCacheKiB
	}
	return writeCacheKiB
}

// tempStore says where SQLite sorts what is too much for its cache. The read-ahead VFS makes no files, and
// what is asked of an immutable file sorts no rows.
func (m Mode) tempStore() string {
	if m == Immutable {
		return "MEMORY"
	}
	return "FILE"
}

// Conn is one connection.
type Conn struct {
	tls        *libc.TLS
	db         uintptr
	watched    *watch
	authorizer *authorizer
	open       map[*Stmt]struct{}
}

type watch struct {
	ctx        context.Context
	work       *Work
	canceled   atomic.Bool
	overworked atomic.Bool
}

// Open opens the database at path, which is never taken for a URI, and makes the connection distrust what the
// file says: functions of the schema may be harmless ones only, triggers do not fire, foreign keys and CHECKs
// are not enforced.
func Open(path string, mode Mode) (*Conn, error) {
	c := &Conn{tls: libc.NewTLS(), open: map[*Stmt]struct{}{}}
	if err := c.openHandle(path, mode); err != nil {
		c.tls.Close()
		return nil, err
	}
	if err := c.distrust(mode); err != nil {
		c.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return c, nil
}

// journals are what SQLite, when it opens a file for writing, replays into it.
var journals = []string{"-journal", "-wal"}

// CheckAlone refuses a file that has a journal or log beside it. Nothing here leaves one, so it is somebody
// else's, and SQLite would replay it.
func CheckAlone(path string) error {
	for _, suffix := range journals {
		if _, err := os.Lstat(path + suffix); !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf(
				"%s%s lies beside the file, and dbmigrate did not make it: replaying it would change the file",
				filepath.Base(path),
				suffix,
			)
		}
	}
	return nil
}

func (c *Conn) openHandle(path string, mode Mode) error {
	name := path
	switch mode {
	case ReadWrite:
		if err := CheckAlone(path); err != nil {
			return fmt.Errorf("open %s: %w", path, err)
		}
	case Immutable:
		name = immutableURI(path, readAheadVFS)
	case Snapshot:
		name = immutableURI(path, "")
	}
	zName, err := c.cstring(name)
	if err != nil {
		return fmt.Errorf("open %q: %w", path, err)
	}
	defer libc.Xfree(c.tls, zName)
	handle := libc.Xcalloc(c.tls, 1, 8)
	if handle == 0 {
		return errNoMemory
	}
	defer libc.Xfree(c.tls, handle)
	rc := sqlite3.Xsqlite3_open_v2(c.tls, zName, handle, mode.flags(), 0)
	c.db = *(*uintptr)(pointer(handle))
	if rc == sqlite3.SQLITE_OK {
		return nil
	}
	err = fmt.Errorf("open %s: %w", path, c.failure(rc))
	sqlite3.Xsqlite3_close_v2(c.tls, c.db)
	return err
}

// immutableURI is the only place where a URI is used, and it is escaped: a path cannot smuggle in parameters.
func immutableURI(path, vfs string) string {
	slashed := filepath.ToSlash(path)
	query := "immutable=1"
	switch {
	case filepath.VolumeName(path) != "":
		slashed = "/" + slashed // sqlite.org/uri.html: file:///C:/...
	case vfs != "" && len(slashed) < maxVFSPath:
		query += "&vfs=" + vfs
	}
	uri := url.URL{Scheme: "file", Path: slashed, RawQuery: query, OmitHost: !strings.HasPrefix(slashed, "/")}
	return uri.String()
}

func (c *Conn) distrust(mode Mode) error {
	for _, option := range []struct {
		op int32
		on bool
	}{
		{sqlite3.SQLITE_DBCONFIG_DEFENSIVE, true},
		{sqlite3.SQLITE_DBCONFIG_TRUSTED_SCHEMA, false},
		{sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, false},
		{sqlite3.SQLITE_DBCONFIG_ENABLE_FKEY, false},
		{sqlite3.SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, false},
	} {
		if err := c.Configure(option.op, option.on); err != nil {
			return err
		}
	}
	c.Limit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
	c.Limit(sqlite3.SQLITE_LIMIT_WORKER_THREADS, 0)
	for _, pragma := range []string{
		fmt.Sprintf("PRAGMA cache_size=-%d", mode.cacheKiB()),
		"PRAGMA temp_store=" + mode.tempStore(),
		"PRAGMA ignore_check_constraints=ON",
		"PRAGMA recursive_triggers=OFF",
	} {
		if err := c.Exec(pragma); err != nil {
			return err
		}
	}
	return nil
}

// Configure sets one of the on/off options of sqlite3_db_config.
func (c *Conn) Configure(option int32, on bool) error {
	value := int32(0)
	if on {
		value = 1
	}
	// libc.VaList gives every argument 8 bytes.
	args := libc.Xmalloc(c.tls, 2*8)
	if args == 0 {
		return errNoMemory
	}
	defer libc.Xfree(c.tls, args)
	return c.check(sqlite3.Xsqlite3_db_config(c.tls, c.db, option, libc.VaList(args, value, uintptr(0))))
}

// Limit sets one of SQLite's run-time limits (SQLITE_LIMIT_...).
func (c *Conn) Limit(id, value int32) { sqlite3.Xsqlite3_limit(c.tls, c.db, id, value) }

// KeepModules removes all virtual table modules but the named ones.
func (c *Conn) KeepModules(names ...string) error {
	list := libc.Xcalloc(c.tls, uint64Size(len(names)+1), 8)
	if list == 0 {
		return errNoMemory
	}
	defer libc.Xfree(c.tls, list)
	for i, name := range names {
		zName, err := c.cstring(name)
		if err != nil {
			return err
		}
		defer libc.Xfree(c.tls, zName)
		*(*uintptr)(pointer(list + uintptr(i)*8)) = zName
	}
	return c.check(sqlite3.Xsqlite3_drop_modules(c.tls, c.db, list))
}

// Watch lets ctx interrupt what the connection does until stop is called. Operations that it interrupts
// return ctx's cause. Only one ctx can watch at a time.
func (c *Conn) Watch(ctx context.Context) (stop func()) {
	if c.watched != nil {
		panic("capi: a second context for one connection")
	}
	w := &watch{ctx: ctx, work: workOf(ctx)}
	c.watched = w
	sqlite3.Xsqlite3_progress_handler(c.tls, c.db, progressSteps, progressFunc, address(w))
	// Each Watch has a flag of its own: one that is set late, by a context that ends while stop runs, is
	// never read again.
	w.canceled.Store(ctx.Err() != nil)
	stopAfter := context.AfterFunc(ctx, func() { w.canceled.Store(true) })
	return func() {
		stopAfter()
		sqlite3.Xsqlite3_progress_handler(c.tls, c.db, 0, 0, 0)
		c.watched = nil
		runtime.KeepAlive(w)
	}
}

// Close finalizes all statements and closes the connection; closing it twice does nothing.
func (c *Conn) Close() error {
	if c.db == 0 {
		return nil
	}
	for s := range c.open {
		s.Close()
	}
	rc := sqlite3.Xsqlite3_close_v2(c.tls, c.db)
	err := c.check(rc)
	c.db = 0
	c.tls.Close()
	return err
}

// AllowSchemaEdits lets UPDATE change sqlite_schema. It is for putting texts back that SQLite would store in
// another form.
func (c *Conn) AllowSchemaEdits() error {
	if err := c.Configure(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, false); err != nil {
		return err
	}
	return c.Exec("PRAGMA writable_schema=ON")
}
