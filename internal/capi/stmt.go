package capi

import (
	"fmt"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/dbmigrate/dbmigrate/pkg/value"
)

// Stmt is one prepared statement.
type Stmt struct {
	conn    *Conn
	handle  uintptr
	columns int

	arena     uintptr // C memory for the bytes of bound values
	arenaSize int
}

// Prepare compiles exactly one statement; text behind it, other than white space and comments, is an error.
func (c *Conn) Prepare(sql string) (*Stmt, error) {
	if Trace != nil {
		Trace(sql)
	}
	zSQL, err := c.cstring(sql)
	if err != nil {
		return nil, fmt.Errorf("prepare statement: %w", err)
	}
	defer libc.Xfree(c.tls, zSQL)
	handle, rest, err := c.prepareFirst(zSQL)
	if err != nil {
		return nil, err
	}
	if handle == 0 {
		return nil, &Error{Code: sqlite3.SQLITE_ERROR, Message: "the text holds no statement"}
	}
	second, _, err := c.prepareFirst(rest)
	if second != 0 || err != nil {
		sqlite3.Xsqlite3_finalize(c.tls, second)
		sqlite3.Xsqlite3_finalize(c.tls, handle)
		return nil, &Error{Code: sqlite3.SQLITE_ERROR, Message: "the text holds more than one statement"}
	}
	s := &Stmt{conn: c, handle: handle, columns: int(sqlite3.Xsqlite3_column_count(c.tls, handle))}
	c.open[s] = struct{}{}
	return s, nil
}

// prepareFirst compiles the first statement of the C string zSQL; rest is what follows it.
func (c *Conn) prepareFirst(zSQL uintptr) (handle, rest uintptr, err error) {
	out := libc.Xcalloc(c.tls, 2, 8)
	if out == 0 {
		return 0, 0, errNoMemory
	}
	defer libc.Xfree(c.tls, out)
	rc := sqlite3.Xsqlite3_prepare_v2(c.tls, c.db, zSQL, -1, out, out+8)
	if err := c.check(rc); err != nil {
		return 0, 0, err
	}
	return *(*uintptr)(pointer(out)), *(*uintptr)(pointer(out + 8)), nil
}

// Exec runs one statement to its end and ignores its rows.
func (c *Conn) Exec(sql string, params ...value.Value) error {
	return c.Query(sql, params, func(*Stmt) error { return nil })
}

// Query runs one statement and hands each row to yield; an error of yield ends it.
func (c *Conn) Query(sql string, params []value.Value, yield func(*Stmt) error) error {
	s, err := c.Prepare(sql)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := s.Bind(params, UTF8); err != nil {
		return err
	}
	for {
		more, err := s.Step()
		if err != nil || !more {
			return err
		}
		if err := yield(s); err != nil {
			return err
		}
	}
}

// Step goes to the next row; false means that there is none.
func (s *Stmt) Step() (bool, error) {
	switch rc := sqlite3.Xsqlite3_step(s.conn.tls, s.handle); rc {
	case sqlite3.SQLITE_ROW:
		return true, nil
	case sqlite3.SQLITE_DONE:
		return false, nil
	default:
		return false, s.conn.failure(rc)
	}
}

// Run executes a statement that returns no rows and makes it ready to be run again.
func (s *Stmt) Run() error {
	_, err := s.Step()
	sqlite3.Xsqlite3_reset(s.conn.tls, s.handle)
	return err
}

// Columns is the number of columns of each row.
func (s *Stmt) Columns() int { return s.columns }

// Value reads column i of the current row. The bytes of a TEXT or BLOB alias SQLite's memory and are valid
// until the next Step or Close; a TEXT's bytes are in the database's own encoding, unchanged.
func (s *Stmt) Value(i int) value.Value {
	var v value.Value
	s.read(i, &v)
	return v
}

// Row reads the first len(row) columns of the current row; see Value.
func (s *Stmt) Row(row []value.Value) {
	for i := range row {
		s.read(i, &row[i])
	}
}

func (s *Stmt) read(i int, v *value.Value) {
	tls := s.conn.tls
	p := sqlite3.Xsqlite3_column_value(tls, s.handle, int32(i))
	switch class := value.StorageClass(sqlite3.Xsqlite3_value_type(tls, p)); class {
	case value.Integer:
		*v = value.Value{Class: class, Int: sqlite3.Xsqlite3_value_int64(tls, p)}
	case value.Real:
		*v = value.Value{Class: class, Real: sqlite3.Xsqlite3_value_double(tls, p)}
	case value.Text, value.Blob:
		// sqlite3_value_blob hands out the bytes of a TEXT too, without converting or terminating them.
		data := sqlite3.Xsqlite3_value_blob(tls, p)
		*v = value.Value{Class: class, Bytes: view(data, sqlite3.Xsqlite3_value_bytes(tls, p))}
	default:
		*v = value.Value{Class: value.Null}
	}
}

// Int reads column i as an integer: for SQLite's own answers, not for a user's cells.
func (s *Stmt) Int(i int) int64 { return sqlite3.Xsqlite3_column_int64(s.conn.tls, s.handle, int32(i)) }

// Text reads column i as text that stays valid, converted to UTF-8 and up to its end whatever it holds.
func (s *Stmt) Text(i int) string {
	p := sqlite3.Xsqlite3_column_text(s.conn.tls, s.handle, int32(i))
	return string(view(p, sqlite3.Xsqlite3_column_bytes(s.conn.tls, s.handle, int32(i))))
}

// Close finalizes the statement; closing it twice does nothing.
func (s *Stmt) Close() {
	if s.handle == 0 {
		return
	}
	sqlite3.Xsqlite3_finalize(s.conn.tls, s.handle)
	s.handle = 0
	libc.Xfree(s.conn.tls, s.arena)
	s.arena = 0
	delete(s.conn.open, s)
}
