package capi

import (
	"errors"
	"strings"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

var errNoMemory = errors.New("out of memory")

var errNUL = errors.New("it holds a NUL character")

// progressSteps is how many steps of SQLite's virtual machine lie between two looks at the watching context.
const progressSteps = 1000

// progressFunc is a C function pointer: modernc's calling convention for a Go function.
var progressFunc = func() uintptr {
	f := progress
	return *(*uintptr)(unsafe.Pointer(&f))
}()

func progress(_ *libc.TLS, at uintptr) int32 {
	w := (*watch)(pointer(at))
	if w.canceled.Load() {
		return 1
	}
	if w.work.over() {
		w.overworked.Store(true)
		return 1
	}
	return 0
}

// pointer turns an address of C memory, or of Go memory that the caller keeps alive, into a pointer. C memory
// does not belong to Go's collector, so the usual rules about uintptr do not apply.
func pointer(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }

// address is the way back. The watch lies on the heap, which does not move.
func address(w *watch) uintptr { return uintptr(unsafe.Pointer(w)) }

// view is n bytes of C memory, valid as long as the C side keeps them.
func view(p uintptr, n int32) []byte {
	if p == 0 || n <= 0 {
		return nil
	}
	return unsafe.Slice((*byte)(pointer(p)), n)
}

// cstring copies s to C memory, which the caller frees.
func (c *Conn) cstring(s string) (uintptr, error) {
	if strings.IndexByte(s, 0) >= 0 {
		return 0, errNUL
	}
	p := libc.Xmalloc(c.tls, uint64Size(len(s)+1))
	if p == 0 {
		return 0, errNoMemory
	}
	b := view(p, int32(len(s)+1))
	copy(b, s)
	b[len(s)] = 0
	return p, nil
}

func uint64Size(n int) sqlite3.Tsqlite3_uint64 { return sqlite3.Tsqlite3_uint64(n) }
