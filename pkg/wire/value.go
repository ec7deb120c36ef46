package wire

import "github.com/dbmigrate/dbmigrate/pkg/value"

// Messages and batches are made of the values of pkg/value.
type (
	Value        = value.Value
	StorageClass = value.StorageClass
	Key          = value.Key
)

// The storage classes.
const (
	Integer = value.Integer
	Real    = value.Real
	Text    = value.Text
	Blob    = value.Blob
	Null    = value.Null
)

// IntValue is an INTEGER.
func IntValue(i int64) Value { return value.IntValue(i) }

// RealValue is a REAL.
func RealValue(f float64) Value { return value.RealValue(f) }

// TextValue is a TEXT with the bytes of s.
func TextValue(s string) Value { return value.TextValue(s) }

// BlobValue is a BLOB that aliases b.
func BlobValue(b []byte) Value { return value.BlobValue(b) }

// NullValue is NULL.
func NullValue() Value { return value.NullValue() }
