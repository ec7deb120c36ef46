package capi

import (
	"strings"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// allowlist names SQL functions in lower case.
type allowlist struct{ functions map[string]bool }

var authorizeFunc = func() uintptr {
	f := authorize
	return *(*uintptr)(unsafe.Pointer(&f))
}()

// AllowFunctions makes SQLite refuse every SQL function outside of the given ones, named in lower case, with
// "not authorized to use function: f", as a Durable Object does.
func (c *Conn) AllowFunctions(functions map[string]bool) error {
	c.allowed = &allowlist{functions: functions}
	return c.check(sqlite3.Xsqlite3_set_authorizer(c.tls, c.db, authorizeFunc, uintptr(unsafe.Pointer(c.allowed))))
}

// authorize is called back by SQLite while it compiles a statement; list is the Conn's allowlist, which the Conn keeps alive.
func authorize(_ *libc.TLS, list uintptr, action int32, _, function, _, _ uintptr) int32 {
	if action != sqlite3.SQLITE_FUNCTION {
		return sqlite3.SQLITE_OK
	}
	if (*allowlist)(pointer(list)).functions[strings.ToLower(libc.GoString(function))] {
		return sqlite3.SQLITE_OK
	}
	return sqlite3.SQLITE_DENY
}
