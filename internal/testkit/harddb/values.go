package harddb

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"strings"
	"unicode/utf16"
)

// cell is a value to insert: SQL with at most one parameter.
type cell struct {
	sql string
	arg any
}

var null = cell{sql: "NULL"}

func integer(i int64) cell { return cell{"?", i} }

// real binds the bits as they are; SQLite has no NaN.
func real(x float64) cell {
	if math.IsNaN(x) {
		return null
	}
	return cell{"?", x}
}

// blob is a literal, because drivers take an empty slice for NULL.
func blob(content []byte) cell { return cell{sql: "x'" + hex.EncodeToString(content) + "'"} }

// text stores s exactly, NULs and all: a cast does not look at the bytes, but it takes them to be in the
// encoding of the database.
func (b *builder) text(s string) cell {
	content := []byte(s)
	if b.encoding != utf8Name {
		content = encodeUTF16(s, b.encoding)
	}
	return cell{sql: "CAST(x'" + hex.EncodeToString(content) + "' AS TEXT)"}
}

func encodeUTF16(s, encoding string) []byte {
	var order binary.AppendByteOrder = binary.LittleEndian
	if encoding == utf16beName {
		order = binary.BigEndian
	}
	var out []byte
	for _, unit := range utf16.Encode([]rune(s)) {
		out = order.AppendUint16(out, unit)
	}
	return out
}

var edgeInts = []int64{
	0,
	1,
	-1,
	2,
	5,
	10,
	127,
	128,
	-128,
	-129,
	32767,
	32768,
	-32769,
	1<<23 - 1,
	1 << 23,
	1<<31 - 1,
	1 << 31,
	-1 << 31,
	1<<47 - 1,
	1 << 47,
	1<<53 - 1,
	1 << 53,
	1<<53 + 1,
	-(1<<53 + 1),
	math.MaxInt64,
	math.MaxInt64 - 1,
	math.MinInt64,
	math.MinInt64 + 1,
	9223372036854775295,
}

var edgeReals = []float64{
	math.Copysign(0, -1),
	0,
	1,
	5,
	-5,
	0.1,
	1.0 / 3,
	0.5,
	1e15,
	1e16,
	123456789012345678,
	math.Inf(1),
	math.Inf(-1),
	math.SmallestNonzeroFloat64,
	-math.SmallestNonzeroFloat64,
	2.2250738585072014e-308,
	2.225073858507201e-308,
	math.MaxFloat64,
	-math.MaxFloat64,
	9007199254740993,
	9.223372036854775807e18,
	-9.223372036854775808e18,
	1.8446744073709552e19,
	5e-324,
	1e23,
	8.41e21,
	9.5e-3,
	2.5,
	3.5,
	4.35,
	0.000001,
	1e-7,
	1e21,
	1e22,
}

// Both kinds are stored in UTF-8 databases; only the valid ones have a form in UTF-16.
var (
	edgeTexts = []string{
		"",
		"\x00",
		"a\x00b",
		"\x00\x00",
		"'",
		"\"",
		"';--",
		"5",
		"5.0",
		"-0",
		"1e5",
		" 7",
		"0x10",
		"9223372036854775808",
		"inf",
		"nan",
		"NULL",
		"true",
		"\ufeff",
		"\ufeffbom",
		"\ufffe",
		"\uffff",
		"\ufffd",
		"𝕊",
		"e\u0301",
		"é",
		"İi",
		"\r\n",
		"\t",
		"\x01\x1f\x7f",
		"a  ",
		"A",
		"\\u0000",
		"{\"a\":1}",
		"[]",
		"👩‍👩‍👧",
		strings.Repeat("long ", 3000),
		strings.Repeat("\U0001F981", 400),
	}
	invalidTexts = []string{
		"\xff",
		"\xc3\x28",
		"\xed\xa0\x80",
		"\xed\xb0\x80",
		"tail\xe2\x82",
		"\xf5\x80\x80\x80",
		"\xc0\x80",
		"\x80",
		"a\xffb\x00c",
	}
)

func (b *builder) anyInt() int64 {
	if b.chance(2) {
		return pick(b, edgeInts)
	}
	return int64(b.random.Uint64()) >> b.random.IntN(64)
}

func (b *builder) anyReal() float64 {
	switch b.random.IntN(4) {
	case 0:
		return pick(b, edgeReals)
	case 1:
		return float64(b.random.IntN(2_000_000)-1_000_000) / float64(pick(b, []int{1, 2, 10, 100, 1000}))
	case 2: // halfway between two doubles, when written with 17 digits
		return math.Ldexp(float64(1<<52+b.random.Int64N(1<<52)), b.random.IntN(200)-100)
	}
	return math.Float64frombits(b.random.Uint64())
}

func (b *builder) anyText() string {
	if b.encoding == utf8Name && b.chance(5) {
		return pick(b, invalidTexts)
	}
	return pick(b, edgeTexts)
}

func (b *builder) anyBlob() []byte {
	size := pick(b, []int{0, 1, 2, 16, 300, 5000})
	content := make([]byte, size)
	for i := range content {
		content[i] = byte(b.random.Uint32())
	}
	return content
}

// anyCell is a value of any storage class.
func (b *builder) anyCell() cell {
	switch b.random.IntN(6) {
	case 0:
		return null
	case 1:
		return integer(b.anyInt())
	case 2, 3:
		return real(b.anyReal())
	case 4:
		return b.text(b.anyText())
	}
	return blob(b.anyBlob())
}
