package value

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// MarshalJSON writes the wire value of section 3.2.
func (v Value) MarshalJSON() ([]byte, error) {
	if v.IsNull() {
		return []byte("null"), nil
	}
	switch v.Class {
	case Integer:
		return append(strconv.AppendInt([]byte(`{"int":"`), v.Int, 10), `"}`...), nil
	case Real:
		return fmt.Appendf(nil, `{"real":"%016x"}`, math.Float64bits(v.Real)), nil
	case Text:
		return AppendBase64Member("text", v.Bytes), nil
	case Blob:
		return AppendBase64Member("blob", v.Bytes), nil
	}
	return nil, fmt.Errorf("write wire value: storage class %d does not exist", v.Class)
}

// AppendBase64Member writes an object with one member, the bytes in base64.
func AppendBase64Member(name string, b []byte) []byte {
	out := make([]byte, 0, len(name)+8+base64.StdEncoding.EncodedLen(len(b)))
	out = append(append(append(out, `{"`...), name...), `":"`...)
	out = base64.StdEncoding.AppendEncode(out, b)
	return append(out, `"}`...)
}

// UnmarshalJSON reads a wire value. Every value has one spelling and others are refused; the bytes are v's
// own.
func (v *Value) UnmarshalJSON(data []byte) error {
	if bytes.Equal(bytes.TrimSpace(data), []byte("null")) {
		*v = NullValue()
		return nil
	}
	var members map[string]*string
	if err := json.Unmarshal(data, &members); err != nil || len(members) != 1 {
		return wireValueError(data, "not null and not an object with one string member")
	}
	for name, text := range members {
		if text == nil {
			return wireValueError(data, "a member that is null")
		}
		value, err := parseWireMember(name, *text)
		if err != nil {
			return wireValueError(data, err.Error())
		}
		*v = value
	}
	return nil
}

func parseWireMember(name, text string) (Value, error) {
	switch name {
	case "int":
		i, ok := ParseDecimal([]byte(text))
		if !ok {
			return Value{}, fmt.Errorf("int is not a plain 64-bit decimal")
		}
		return IntValue(i), nil
	case "real":
		bits, err := strconv.ParseUint(text, 16, 64)
		if err != nil || fmt.Sprintf("%016x", bits) != text {
			return Value{}, fmt.Errorf("real is not 16 lower-case hex digits")
		}
		f := math.Float64frombits(bits)
		if f != f {
			return Value{}, fmt.Errorf("real is not a number, which SQLite cannot hold")
		}
		return RealValue(f), nil
	case "text", "blob":
		b, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || base64.StdEncoding.EncodeToString(b) != text {
			return Value{}, fmt.Errorf("%s is not base64 with padding", name)
		}
		if name == "text" {
			return Value{Class: Text, Bytes: b}, nil
		}
		return BlobValue(b), nil
	}
	return Value{}, fmt.Errorf("member %.20q is unknown", name)
}

func wireValueError(data []byte, reason string) error {
	return fmt.Errorf("read wire value %.40q: %s", data, reason)
}

// ParseDecimal reads a 64-bit integer in the one spelling that strconv.AppendInt writes: no plus, no leading
// zero, no "-0".
func ParseDecimal(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > len("-9223372036854775808") {
		return 0, false
	}
	digits, limit := b, uint64(math.MaxInt64)
	negative := b[0] == '-'
	if negative {
		digits, limit = b[1:], limit+1
	}
	if len(digits) == 0 || digits[0] == '0' && (negative || len(digits) > 1) {
		return 0, false
	}
	var n uint64
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0') // 19 digits fit in 64 bits without wrapping
	}
	if n > limit || len(digits) > 19 {
		return 0, false
	}
	if negative {
		return int64(-n), true
	}
	return int64(n), true
}
