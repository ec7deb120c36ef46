package wire

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/dbmigrate/dbmigrate/pkg/value"
)

// maxSafeInteger is the largest magnitude up to which the query API writes an INTEGER as a plain number
// (section 8).
const maxSafeInteger = 1 << 53

// firstWithExponent is where encoding/json and JavaScript begin to write whole numbers with an exponent.
// Below, a reader takes them for INTEGERs.
const firstWithExponent = 1e21

// QueryValue writes v as the query API of section 8 answers it: the plainest JSON that is exact. TEXT that is
// not UTF-8 has no exact form.
func QueryValue(v Value) (json.RawMessage, error) {
	if v.IsNull() {
		return json.RawMessage("null"), nil
	}
	switch v.Class {
	case Integer:
		if v.Int > maxSafeInteger || v.Int < -maxSafeInteger {
			return fmt.Appendf(nil, `{"int":"%d"}`, v.Int), nil
		}
		return strconv.AppendInt(nil, v.Int, 10), nil
	case Real:
		return queryReal(v.Real)
	case Text:
		if !utf8.Valid(v.Bytes) {
			return nil, fmt.Errorf("write query value: TEXT that is not UTF-8")
		}
		return compactJSON(string(v.Bytes)), nil
	case Blob:
		return value.AppendBase64Member("blob", v.Bytes), nil
	}
	return nil, fmt.Errorf("write query value: storage class %d does not exist", v.Class)
}

func queryReal(f float64) (json.RawMessage, error) {
	switch {
	case math.IsInf(f, 0):
		return fmt.Appendf(nil, `{"real":"%sInfinity"}`, map[bool]string{true: "-"}[f < 0]), nil
	case f == 0 && math.Signbit(f):
		return json.RawMessage(`{"real":"-0"}`), nil
	case f == math.Trunc(f) && math.Abs(f) < firstWithExponent:
		return fmt.Appendf(nil, `{"real":"%s.0"}`, strconv.FormatFloat(f, 'f', -1, 64)), nil
	}
	return json.Marshal(f)
}

// ParseQueryValue reads a parameter of the query API.
func ParseQueryValue(data json.RawMessage) (Value, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var parsed any
	if err := d.Decode(&parsed); err != nil {
		return Value{}, fmt.Errorf("read query value: %w", err)
	}
	switch x := parsed.(type) {
	case nil:
		return NullValue(), nil
	case string:
		return TextValue(x), nil
	case bool:
		if x {
			return IntValue(1), nil
		}
		return IntValue(0), nil
	case json.Number:
		return queryNumber(x)
	case map[string]any:
		return queryObject(x)
	}
	return Value{}, queryError("an array is no value")
}

// queryNumber refuses a whole number that JavaScript would round, and one that is too large for a REAL.
func queryNumber(n json.Number) (Value, error) {
	f, err := n.Float64()
	if err != nil {
		return Value{}, queryError("the number is beyond the largest REAL: send {\"real\":\"Infinity\"}")
	}
	if !strings.ContainsAny(n.String(), ".eE") && !isSafeInteger(n.String()) {
		return Value{}, queryError("a whole number beyond 2^53 comes as {\"int\":\"...\"} or {\"real\":\"...\"}")
	}
	if f == math.Trunc(f) && math.Abs(f) <= maxSafeInteger && !(f == 0 && math.Signbit(f)) {
		return IntValue(int64(f)), nil
	}
	return RealValue(f), nil
}

func isSafeInteger(decimal string) bool {
	i, err := strconv.ParseInt(decimal, 10, 64)
	return err == nil && i <= maxSafeInteger && i >= -maxSafeInteger
}

func queryObject(members map[string]any) (Value, error) {
	if len(members) != 1 {
		return Value{}, queryError("an object has exactly one member")
	}
	for name, member := range members {
		text, ok := member.(string)
		if !ok {
			return Value{}, queryError("the member is not a string")
		}
		return queryMember(name, text)
	}
	return Value{}, nil // not reached: the loop returns
}

func queryMember(name, text string) (Value, error) {
	switch name {
	case "int":
		if i, ok := value.ParseDecimal([]byte(text)); ok {
			return IntValue(i), nil
		}
		return Value{}, queryError("int is not a plain 64-bit decimal")
	case "real":
		return queryRealText(text)
	case "blob":
		b, err := base64.StdEncoding.Strict().DecodeString(text)
		if err != nil || base64.StdEncoding.EncodeToString(b) != text {
			return Value{}, queryError("blob is not base64 with padding")
		}
		return BlobValue(b), nil
	}
	return Value{}, queryError("the member is none of int, real and blob")
}

func queryRealText(text string) (Value, error) {
	switch text {
	case "Infinity":
		return RealValue(math.Inf(1)), nil
	case "-Infinity":
		return RealValue(math.Inf(-1)), nil
	}
	if !json.Valid([]byte(text)) || text[0] != '-' && (text[0] < '0' || text[0] > '9') {
		return Value{}, queryError("real is not a number as JSON writes it, Infinity or -Infinity")
	}
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return Value{}, queryError("real is beyond the largest REAL: say Infinity or -Infinity")
	}
	return RealValue(f), nil
}

func queryError(reason string) error { return fmt.Errorf("read query value: %s", reason) }
