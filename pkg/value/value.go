// Package value is one SQLite value, exact, and the spelling of it in JSON.
package value

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
)

// StorageClass is SQLite's storage class of a value, with SQLite's own codes (sqlite3.h, SQLITE_INTEGER and
// so on).
type StorageClass uint8

// The storage classes.
const (
	Integer StorageClass = 1
	Real    StorageClass = 2
	Text    StorageClass = 3
	Blob    StorageClass = 4
	Null    StorageClass = 5
)

// String returns the name that SQLite's typeof() has for the class.
func (c StorageClass) String() string {
	switch c {
	case Integer:
		return "integer"
	case Real:
		return "real"
	case Text:
		return "text"
	case Blob:
		return "blob"
	case Null:
		return "null"
	}
	return "invalid"
}

// Value is one SQLite value, exact. Bytes of Text and Blob may alias a reader's memory: they are valid only
// until its next step unless the producer says otherwise. The zero Value, and a Real that is not a number,
// stand for NULL, as which SQLite reads a stored NaN.
type Value struct {
	Class StorageClass
	Int   int64
	Real  float64
	Bytes []byte
}

// IntValue is an INTEGER.
func IntValue(i int64) Value { return Value{Class: Integer, Int: i} }

// RealValue is a REAL.
func RealValue(f float64) Value { return Value{Class: Real, Real: f} }

// TextValue is a TEXT with the bytes of s.
func TextValue(s string) Value { return Value{Class: Text, Bytes: []byte(s)} }

// BlobValue is a BLOB that aliases b.
func BlobValue(b []byte) Value { return Value{Class: Blob, Bytes: b} }

// NullValue is NULL.
func NullValue() Value { return Value{Class: Null} }

// IsNull says whether v reads as NULL in SQLite.
func (v Value) IsNull() bool {
	return v.Class == Null || v.Class == 0 || v.Class == Real && v.Real != v.Real
}

// Equal says whether a and b are the same class and the same bits: 0.0 and -0.0 differ, as do 5 and 5.0.
func (v Value) Equal(other Value) bool {
	if v.IsNull() || other.IsNull() {
		return v.IsNull() && other.IsNull()
	}
	if v.Class != other.Class {
		return false
	}
	switch v.Class {
	case Integer:
		return v.Int == other.Int
	case Real:
		return math.Float64bits(v.Real) == math.Float64bits(other.Real)
	default:
		return bytes.Equal(v.Bytes, other.Bytes)
	}
}

// String shows v for logs and test failures, long bytes cut.
func (v Value) String() string {
	switch {
	case v.IsNull():
		return "NULL"
	case v.Class == Integer:
		return strconv.FormatInt(v.Int, 10)
	case v.Class == Real:
		return string(AppendReal(nil, v.Real))
	case v.Class == Text:
		return shortQuote("", v.Bytes)
	}
	return shortQuote("x", v.Bytes)
}

// shownBytes is how much of a long value String shows.
const shownBytes = 40

func shortQuote(prefix string, b []byte) string {
	if len(b) <= shownBytes {
		return prefix + strconv.Quote(string(b))
	}
	return fmt.Sprintf("%s%q... (%d bytes)", prefix, b[:shownBytes], len(b))
}

// Clone returns v with bytes of its own, for keeping it beyond the reader's next step.
func (v Value) Clone() Value {
	v.Bytes = bytes.Clone(v.Bytes)
	return v
}

// Key is the key of a row: its rowid, or the primary key of a WITHOUT ROWID table. Nil is "before the first".
type Key []Value

// Clone returns a key with bytes of its own.
func (k Key) Clone() Key {
	if k == nil {
		return nil
	}
	out := make(Key, len(k))
	for i, v := range k {
		out[i] = v.Clone()
	}
	return out
}

// AppendReal writes the shortest decimal that reads back to the same bits, as a JSON number that SQLite
// takes for a REAL. 9e999 is beyond every REAL, so SQLite reads it as infinity.
func AppendReal(b []byte, f float64) []byte {
	switch {
	case math.IsInf(f, 1):
		return append(b, "9e999"...)
	case math.IsInf(f, -1):
		return append(b, "-9e999"...)
	}
	start := len(b)
	b = strconv.AppendFloat(b, f, 'g', -1, 64)
	for _, c := range b[start:] {
		if c == '.' || c == 'e' {
			return b
		}
	}
	return append(b, ".0"...)
}
