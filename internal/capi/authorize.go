package capi

import (
	"errors"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// Action is what a statement that is being compiled is about to do: a code of SQLite (SQLITE_READ and so on)
// with its first two arguments.
type Action struct {
	Code          int32
	First, Second string
}

// authorizer judges actions.
type authorizer struct{ allow func(Action) bool }

var authorizeFunc = func() uintptr {
	f := authorize
	return *(*uintptr)(unsafe.Pointer(&f))
}()

// Authorize lets allow judge what every statement that is compiled from now on does; SQLite refuses a
// statement that does something else. With nil it judges no more.
func (c *Conn) Authorize(allow func(Action) bool) error {
	if allow == nil {
		err := c.check(sqlite3.Xsqlite3_set_authorizer(c.tls, c.db, 0, 0))
		c.authorizer = nil
		return err
	}
	c.authorizer = &authorizer{allow: allow}
	return c.check(
		sqlite3.Xsqlite3_set_authorizer(c.tls, c.db, authorizeFunc, uintptr(unsafe.Pointer(c.authorizer))),
	)
}

// WithoutSelects runs use while no SELECT can be compiled. SQLite compiles a SELECT of every view when it
// lists the tables, and views of views can make that endless.
func (c *Conn) WithoutSelects(use func() error) error {
	before := c.authorizer
	if err := c.Authorize(func(a Action) bool { return a.Code != sqlite3.SQLITE_SELECT && (before == nil || before.allow(a)) }); err != nil {
		return err
	}
	err := use()
	if before == nil {
		return errors.Join(err, c.Authorize(nil))
	}
	return errors.Join(err, c.Authorize(before.allow))
}

// authorize is called back by SQLite while it compiles a statement; judge is the Conn's authorizer, which the
// Conn keeps alive.
func authorize(_ *libc.TLS, judge uintptr, code int32, first, second, _, _ uintptr) int32 {
	if (*authorizer)(pointer(judge)).allow(Action{code, libc.GoString(first), libc.GoString(second)}) {
		return sqlite3.SQLITE_OK
	}
	return sqlite3.SQLITE_DENY
}
