package verify

import (
	"fmt"
	"strconv"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// shownBytes is how many bytes of a TEXT or BLOB Shorten shows.
const shownBytes = 60

// Shorten writes a value for people. NULL, INTEGER and REAL stand in full, a REAL always with a point or an
// exponent. TEXT is quoted and escaped so that every byte can be told, BLOB is x'hex'. Of more than 60 bytes
// only those around byte `at` are shown, with how many the value has in all:
//
//	...[480:]"the quick brown fix"... (2048 bytes)
func Shorten(v wire.Value, at int) string {
	if v.IsNull() || v.Class == wire.Integer || v.Class == wire.Real {
		return v.String()
	}
	if len(v.Bytes) <= shownBytes {
		return quote(v.Class, v.Bytes)
	}
	start := max(0, min(at-shownBytes/3, len(v.Bytes)-shownBytes))
	end := min(start+shownBytes, len(v.Bytes))
	before, after := "", ""
	if start > 0 {
		before = fmt.Sprintf("...[%d:]", start)
	}
	if end < len(v.Bytes) {
		after = "..."
	}
	return fmt.Sprintf("%s%s%s (%d bytes)", before, quote(v.Class, v.Bytes[start:end]), after, len(v.Bytes))
}

func quote(class wire.StorageClass, b []byte) string {
	if class == wire.Blob {
		return fmt.Sprintf("x'%x'", b)
	}
	return strconv.Quote(string(b))
}

// shortenPair shortens both values around the first byte in which they differ.
func shortenPair(l, r wire.Value) (left, right string) {
	at := 0
	for at < len(l.Bytes) && at < len(r.Bytes) && l.Bytes[at] == r.Bytes[at] {
		at++
	}
	return Shorten(l, at), Shorten(r, at)
}
