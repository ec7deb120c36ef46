// Package scanlog keeps what scans saw: the size of each user's file, scan after scan, in a SQLite file. From
// it follow facts that one scan cannot know: who is over a threshold for good, how fast users grow, who will
// cross the threshold.
//
// A history belongs to one bucket and one layout, and refuses any other. A scan is recorded in one
// transaction. A size is stored only when it changed, so that a fleet that stands still costs nothing.
package scanlog

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// applicationID marks the file in its SQLite header ("dbmh"), so that no other database is ever taken for a
// history, or written to.
const (
	applicationID = 0x64626d68
	version       = 1
)

const schema = `
CREATE TABLE scope (endpoint TEXT NOT NULL, bucket TEXT NOT NULL, layout TEXT NOT NULL);
CREATE TABLE scans (
  id INTEGER PRIMARY KEY,
  run TEXT NOT NULL UNIQUE,
  at INTEGER NOT NULL,      -- Unix milliseconds
  prefix TEXT NOT NULL,     -- only users with ids that begin with it were looked at
  users INTEGER NOT NULL,
  bytes INTEGER NOT NULL
);
CREATE TABLE steps (
  user TEXT NOT NULL,
  scan INTEGER NOT NULL,    -- from this scan on ...
  bytes INTEGER,            -- ... the file has this size; NULL: it is not in R2 any more
  PRIMARY KEY (user, scan)
) WITHOUT ROWID;`

// Scope is what a history is of.
type Scope struct{ Endpoint, Bucket, Layout string }

func (s Scope) String() string {
	return fmt.Sprintf("bucket %s at %s, layout %s", s.Bucket, s.Endpoint, s.Layout)
}

// Scan is one recorded scan. Users and Bytes are of the files in R2.
type Scan struct {
	Run    string
	At     time.Time
	Prefix string
	Users  int
	Bytes  int64
}

// History is an open history.
type History struct {
	db   *sql.DB
	path string
}

// Open opens the history at path, or begins one. A file that is damaged, of another bucket or layout, or no
// history at all is refused and stays as it is. The folder must exist.
func Open(ctx context.Context, path string, scope Scope) (*History, error) {
	fresh, err := isFresh(path)
	if err != nil {
		return nil, refuse(path, err, "")
	}
	uri := url.URL{Scheme: "file", Opaque: (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath(),
		RawQuery: "_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=trusted_schema(0)"}
	db, err := sql.Open("sqlite", uri.String())
	if err != nil {
		return nil, refuse(path, err, "")
	}
	db.SetMaxOpenConns(1)
	h := &History{db: db, path: path}
	if fresh {
		err = h.begin(ctx, scope)
	}
	if err == nil {
		err = h.check(ctx, scope)
	}
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return h, nil
}

// isFresh says that there is nothing at path yet. An empty file is nothing, too: so begins a file that
// somebody else's process just made.
func isFresh(path string) (bool, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return true, nil
	case err != nil:
		return false, errors.Unwrap(err)
	case !info.Mode().IsRegular():
		return false, errors.New("it is no regular file")
	}
	return info.Size() == 0, nil
}

// begin makes the tables, in one transaction. Another process that was faster is no error.
func (h *History) begin(ctx context.Context, scope Scope) error {
	err := h.inTx(ctx, func(tx *sql.Tx) error {
		var id int64
		if err := tx.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id); err != nil ||
			id == applicationID {
			return err
		}
		if _, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA application_id=%d; PRAGMA user_version=%d;", applicationID, version)+schema); err != nil {
			return err
		}
		_, err := tx.ExecContext(
			ctx,
			"INSERT INTO scope VALUES (?, ?, ?)",
			scope.Endpoint,
			scope.Bucket,
			scope.Layout,
		)
		return err
	})
	if err != nil {
		return h.fail("begin", err)
	}
	return nil
}

func (h *History) check(ctx context.Context, want Scope) error {
	var id, ver int64
	err := errors.Join(
		h.db.QueryRowContext(ctx, "PRAGMA application_id").Scan(&id),
		h.db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&ver),
	)
	switch {
	case err != nil:
		return h.fail("read", err)
	case id != applicationID:
		return refuse(h.path, errors.New("it is a database, but no history of scans"), "")
	case ver != version:
		return refuse(
			h.path,
			fmt.Errorf("it has version %d, and this dbmigrate knows version %d", ver, version),
			"use a newer dbmigrate",
		)
	}
	var verdict string
	if err := h.db.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return h.fail("check", err)
	}
	if verdict != "ok" {
		return h.fail("check", errors.New(verdict))
	}
	var is Scope
	if err := h.db.QueryRowContext(ctx, "SELECT endpoint, bucket, layout FROM scope").Scan(&is.Endpoint, &is.Bucket, &is.Layout); err != nil {
		return h.fail("read", err)
	}
	if is != want {
		return refuse(
			h.path,
			fmt.Errorf("it is of %s, not of %s", is, want),
			"each bucket and layout has a history of its own: name another file",
		)
	}
	return nil
}

// Close closes the file.
func (h *History) Close() error { return h.db.Close() }

func (h *History) inTx(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := h.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// ErrUnwritable says that the place of a history takes no more: its disk is full, or it is read-only. The
// file itself is not to blame.
var ErrUnwritable = errors.New("it cannot be written")

// sqliteError is an error of the driver.
type sqliteError interface {
	error
	Code() int
}

// unwritable gives an error of such a place its kind and its way out; nil: the error is another one.
func (h *History) unwritable(op string, err error) error {
	const hint = "name a file elsewhere with --history"
	var e sqliteError
	if !errors.As(err, &e) {
		return nil
	}
	is := &userdb.Error{Op: op + " the history", Thing: h.path, Kind: userdb.Usage,
		Err: fmt.Errorf("%w: %w", ErrUnwritable, err), Hint: hint}
	switch {
	case e.Code()&primary == sqlite3.SQLITE_FULL, e.Code() == sqlite3.SQLITE_IOERR_WRITE:
		is.Kind = userdb.NoSpace
		is.Hint = fmt.Sprintf("free some space for %s, or %s", filepath.Dir(h.path), hint)
	case e.Code()&primary == sqlite3.SQLITE_READONLY, e.Code()&primary == sqlite3.SQLITE_CANTOPEN:
	default:
		return nil
	}
	return is
}

// primary masks the part of a result code that says more.
const primary = 0xff

func (h *History) fail(op string, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	if is := h.unwritable(op, err); is != nil {
		return is
	}
	return &userdb.Error{
		Op:    op + " the history",
		Thing: h.path,
		Kind:  userdb.Usage,
		Err:   err,
		Hint:  hintAside,
	}
}

const hintAside = "move the file away to begin a new history"

func refuse(path string, err error, hint string) error {
	if hint == "" {
		hint = hintAside
	}
	return &userdb.Error{Op: "read the history", Thing: path, Kind: userdb.Usage, Err: err, Hint: hint}
}
