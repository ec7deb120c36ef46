package capi

import (
	"context"
	"errors"
	"fmt"
	"syscall"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// Error is an error of SQLite.
type Error struct {
	Code    int32 // the extended result code; its low 8 bits are the primary one
	Message string
	// System is the operating system's error number of a failed read or write, 0 for none.
	System int32
}

func (e *Error) Error() string { return fmt.Sprintf("%s (SQLite error %d)", e.Message, e.Code) }

// Primary is the primary result code (SQLITE_CORRUPT, SQLITE_FULL and so on).
func (e *Error) Primary() int32 { return e.Code & 0xff }

// Message is what SQLite says, without its number; of another error its own text.
func Message(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Message
	}
	return err.Error()
}

// InterruptError says that the watching context ended an operation.
type InterruptError struct{ Cause error }

func (e *InterruptError) Error() string { return "interrupted: " + e.Cause.Error() }

func (e *InterruptError) Unwrap() error { return e.Cause }

// IsInterrupt says whether the watching context ended the operation.
func IsInterrupt(err error) bool {
	var e *InterruptError
	return errors.As(err, &e)
}

// PrimaryCode returns the primary result code of the SQLite error in err's chain, and 0 when there is none.
func PrimaryCode(err error) int32 {
	var e *Error
	if errors.As(err, &e) {
		return e.Primary()
	}
	return 0
}

// IsDamage says whether SQLite found the file's structure broken.
func IsDamage(err error) bool {
	code := PrimaryCode(err)
	return code == sqlite3.SQLITE_CORRUPT || code == sqlite3.SQLITE_NOTADB
}

// IsNoMemory says whether SQLite was refused the memory that it asked for.
func IsNoMemory(err error) bool {
	return errors.Is(err, errNoMemory) || PrimaryCode(err) == sqlite3.SQLITE_NOMEM
}

// IsNoRoom says whether SQLite could not write a file: the disk is full, or the file would become larger than
// this process may make it.
func IsNoRoom(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Primary() == sqlite3.SQLITE_FULL || e.Code == sqlite3.SQLITE_IOERR_WRITE)
}

// IsFileTooLarge says whether SQLite would have made a file larger than this process may make one. A quota
// that is used up, or a broken disk, is another thing.
func IsFileTooLarge(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == sqlite3.SQLITE_IOERR_WRITE &&
		syscall.Errno(e.System) == syscall.EFBIG
}

// IsTooBig says whether a value or a statement was over a limit of length.
func IsTooBig(err error) bool { return PrimaryCode(err) == sqlite3.SQLITE_TOOBIG }

func (c *Conn) check(rc int32) error {
	if rc == sqlite3.SQLITE_OK {
		return nil
	}
	return c.failure(rc)
}

// failure is the error for a result code of the call that was just made.
func (c *Conn) failure(rc int32) error {
	if rc&0xff == sqlite3.SQLITE_INTERRUPT && c.watched != nil {
		if c.watched.ctx.Err() != nil {
			return &InterruptError{Cause: context.Cause(c.watched.ctx)}
		}
		if c.watched.overworked.Load() {
			return &InterruptError{Cause: ErrTooMuchWork}
		}
	}
	message := libc.GoString(sqlite3.Xsqlite3_errstr(c.tls, rc))
	var system int32
	if c.db != 0 && sqlite3.Xsqlite3_extended_errcode(c.tls, c.db) == rc {
		message = libc.GoString(sqlite3.Xsqlite3_errmsg(c.tls, c.db))
		system = sqlite3.Xsqlite3_system_errno(c.tls, c.db)
	}
	return &Error{Code: rc, Message: message, System: system}
}
