package sqlitefile

import (
	"encoding/binary"
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

// The names of encodings in a header message.
const (
	UTF8    = "UTF-8"
	UTF16le = "UTF-16le"
	UTF16be = "UTF-16be"
)

var (
	errNotUTF16 = errors.New("the text is not valid UTF-16")
	errNotUTF8  = errors.New("the text is not valid UTF-8")
)

// unitOrder is the order of the two bytes of a UTF-16 unit.
type unitOrder interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

func orderOf(encoding string) unitOrder {
	if encoding == UTF16be {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

// appendUTF8 appends the UTF-8 form of UTF-16 text. SQLite's own conversion merges lone surrogates with what
// follows them and drops an odd last byte; here they are errors, because such text could not come back.
func appendUTF8(out, text []byte, order unitOrder) ([]byte, error) {
	if len(text)%2 != 0 {
		return nil, errNotUTF16
	}
	for i := 0; i < len(text); i += 2 {
		r := rune(order.Uint16(text[i:]))
		if utf16.IsSurrogate(r) {
			if i+4 > len(text) {
				return nil, errNotUTF16
			}
			if r = utf16.DecodeRune(r, rune(order.Uint16(text[i+2:]))); r == utf8.RuneError {
				return nil, errNotUTF16
			}
			i += 2
		}
		out = utf8.AppendRune(out, r)
	}
	return out, nil
}

// appendUTF16 is the way back. SQLite's own conversion changes U+FFFE and U+FFFF; this one does not.
func appendUTF16(out, text []byte, order unitOrder) ([]byte, error) {
	if !utf8.Valid(text) {
		return nil, errNotUTF8
	}
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		text = text[n:]
		if r < 0x10000 {
			out = order.AppendUint16(out, uint16(r))
			continue
		}
		high, low := utf16.EncodeRune(r)
		out = order.AppendUint16(order.AppendUint16(out, uint16(high)), uint16(low))
	}
	return out, nil
}
