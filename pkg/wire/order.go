package wire

import (
	"bytes"
	"cmp"
	"math"
	"strings"
)

// CompareValues compares two values as SQLite's indexes order them: NULL, numbers by value, TEXT by collation
// (BINARY, NOCASE or RTRIM), BLOB by bytes.
func CompareValues(a, b *Value, collation string) int {
	if c := cmp.Compare(orderClass(a), orderClass(b)); c != 0 {
		return c
	}
	switch {
	case a.IsNull():
		return 0
	case a.Class == Text:
		return compareText(a.Bytes, b.Bytes, collation)
	case a.Class == Blob:
		return bytes.Compare(a.Bytes, b.Bytes)
	case a.Class == Integer && b.Class == Integer:
		return cmp.Compare(a.Int, b.Int)
	case a.Class == Integer:
		return compareNumbers(a.Int, b.Real)
	case b.Class == Integer:
		return -compareNumbers(b.Int, a.Real)
	}
	return cmp.Compare(a.Real, b.Real)
}

func orderClass(v *Value) int {
	switch {
	case v.IsNull():
		return 0
	case v.Class == Integer, v.Class == Real:
		return 1
	case v.Class == Text:
		return 2
	}
	return 3
}

// compareNumbers is exact where a float64 is not: beyond 2^53.
func compareNumbers(i int64, r float64) int {
	switch {
	case r < math.MinInt64:
		return 1
	case r >= -math.MinInt64:
		return -1
	}
	whole := math.Floor(r)
	if c := cmp.Compare(i, int64(whole)); c != 0 {
		return c
	}
	return cmp.Compare(whole, r)
}

func compareText(a, b []byte, collation string) int {
	switch strings.ToUpper(collation) {
	case "NOCASE":
		return compareFolded(a, b)
	case "RTRIM":
		return bytes.Compare(bytes.TrimRight(a, " "), bytes.TrimRight(b, " "))
	}
	return bytes.Compare(a, b)
}

// compareFolded folds the case of ASCII letters only, and looks at nothing behind a zero byte that both have,
// as SQLite does.
func compareFolded(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if c := cmp.Compare(foldASCII(a[i]), foldASCII(b[i])); c != 0 {
			return c
		}
		if a[i] == 0 {
			break
		}
	}
	return cmp.Compare(len(a), len(b))
}

func foldASCII(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
