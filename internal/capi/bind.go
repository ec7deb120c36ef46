package capi

import (
	"errors"
	"fmt"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/dbmigrate/dbmigrate/pkg/value"
)

// Encoding is the text encoding of a database, with SQLite's own codes.
type Encoding uint8

// The encodings.
const (
	UTF8    Encoding = sqlite3.SQLITE_UTF8
	UTF16le Encoding = sqlite3.SQLITE_UTF16LE
	UTF16be Encoding = sqlite3.SQLITE_UTF16BE
)

// Bind sets the parameters from the first on. TEXT bytes are taken as they are, in the given encoding, which
// must be the database's: then SQLite stores them unchanged. The values may be reused once Bind has returned.
func (s *Stmt) Bind(row []value.Value, encoding Encoding) error {
	if err := s.reserve(row); err != nil {
		return err
	}
	at := s.arena
	for i := range row {
		v := &row[i]
		n := len(v.Bytes)
		if n > 0 {
			copy(view(at, int32(n)), v.Bytes)
		}
		if err := s.conn.check(s.bindOne(int32(i+1), v, at, encoding)); err != nil {
			return fmt.Errorf("bind value %d: %w", i+1, err)
		}
		at += uintptr(n)
	}
	return nil
}

func (s *Stmt) bindOne(i int32, v *value.Value, at uintptr, encoding Encoding) int32 {
	const static = 0 // SQLITE_STATIC: the arena outlives the binding
	tls := s.conn.tls
	switch v.Class {
	case value.Integer:
		return sqlite3.Xsqlite3_bind_int64(tls, s.handle, i, v.Int)
	case value.Real:
		return sqlite3.Xsqlite3_bind_double(tls, s.handle, i, v.Real)
	case value.Text:
		return sqlite3.Xsqlite3_bind_text64(
			tls,
			s.handle,
			i,
			at,
			uint64Size(len(v.Bytes)),
			static,
			uint8(encoding),
		)
	case value.Blob:
		return sqlite3.Xsqlite3_bind_blob64(tls, s.handle, i, at, uint64Size(len(v.Bytes)), static)
	}
	return sqlite3.Xsqlite3_bind_null(tls, s.handle, i)
}

// reserve makes the arena large enough for the bytes of row, and never null: a null address would bind NULL
// for an empty value.
func (s *Stmt) reserve(row []value.Value) error {
	need := 1
	for i := range row {
		need += len(row[i].Bytes)
	}
	if need > 1<<30 {
		return errors.New("a row over 1 GiB")
	}
	if need <= s.arenaSize {
		return nil
	}
	size := max(need, 4096)
	arena := libc.Xrealloc(s.conn.tls, s.arena, uint64Size(size))
	if arena == 0 {
		return errNoMemory
	}
	s.arena, s.arenaSize = arena, size
	return nil
}
