package wire

import (
	"encoding/binary"
	"math"
	"strconv"

	"github.com/dbmigrate/dbmigrate/pkg/value"
)

// SQLite's JSONB element types (sqlite.org/jsonb.html, section 3.1): the low four bits of an element's first
// byte.
const (
	jsonbNull    = 0
	jsonbInt     = 3
	jsonbFloat   = 5
	jsonbTextRaw = 10
	jsonbArray   = 11
)

// The high four bits of an element's first byte: up to jsonbMaxInline they are the payload's size, above it
// they say how many bytes of size follow, big-endian.
const (
	jsonbMaxInline = 11
	jsonbSize8     = 12
	jsonbSize16    = 13
	jsonbSize32    = 14
	maxJSONBHeader = 5 // no element here has 4 GiB
)

// jsonbHeaderLen is the length of the smallest header for a payload.
func jsonbHeaderLen(payload int) int {
	switch {
	case payload <= jsonbMaxInline:
		return 1
	case payload <= math.MaxUint8:
		return 2
	case payload <= math.MaxUint16:
		return 3
	}
	return maxJSONBHeader
}

func appendJSONBHeader(b []byte, kind byte, payload int) []byte {
	switch jsonbHeaderLen(payload) {
	case 1:
		return append(b, byte(payload)<<4|kind)
	case 2:
		return append(b, jsonbSize8<<4|kind, byte(payload))
	case 3:
		return append(b, jsonbSize16<<4|kind, byte(payload>>8), byte(payload))
	}
	return binary.BigEndian.AppendUint32(append(b, jsonbSize32<<4|kind), uint32(payload))
}

func appendJSONBInt(b []byte, i int64) []byte {
	start := len(b)
	b = strconv.AppendInt(append(b, 0), i, 10)
	return finishJSONBNumber(b, start, jsonbInt)
}

func appendJSONBReal(b []byte, f float64) []byte {
	start := len(b)
	b = value.AppendReal(append(b, 0), f)
	return finishJSONBNumber(b, start, jsonbFloat)
}

// finishJSONBNumber writes the header of a number with text from one byte behind start on. A number too long
// for a header of one byte moves up by one.
func finishJSONBNumber(b []byte, start int, kind byte) []byte {
	n := len(b) - start - 1
	if n <= jsonbMaxInline {
		b[start] = byte(n)<<4 | kind
		return b
	}
	b = append(b, 0)
	copy(b[start+2:], b[start+1:len(b)-1])
	b[start], b[start+1] = jsonbSize8<<4|kind, byte(n)
	return b
}

func appendJSONBBytes(b, bytes []byte) []byte {
	return append(appendJSONBHeader(b, jsonbTextRaw, len(bytes)), bytes...)
}

// appendJSONBBlobArray writes a blob among other classes: an array of one TEXTRAW (plan m).
func appendJSONBBlobArray(b, bytes []byte) []byte {
	b = appendJSONBHeader(b, jsonbArray, jsonbHeaderLen(len(bytes))+len(bytes))
	return appendJSONBBytes(b, bytes)
}

// insertJSONBHeader writes the header of an array with the payload b[start+reserved:], moving the payload
// when the header needs other than the reserved length. It also returns the header's length.
func insertJSONBHeader(b []byte, start, reserved int, kind byte) ([]byte, int) {
	payload := len(b) - start - reserved
	need := jsonbHeaderLen(payload)
	if need > reserved {
		var room [maxJSONBHeader]byte
		b = append(b, room[:need-reserved]...)
	}
	if need != reserved {
		copy(b[start+need:], b[start+reserved:start+reserved+payload])
		b = b[:start+need+payload]
	}
	appendJSONBHeader(b[:start], kind, payload)
	return b, need
}
