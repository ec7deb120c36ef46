package wire

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/dbmigrate/dbmigrate/pkg/value"
)

// element is one JSONB element, its payload aliasing the input.
type element struct {
	kind    byte
	payload []byte
	at      int // offset of the header
}

// jsonbReader reads the elements side by side in data. Offsets in errors count from base.
type jsonbReader struct {
	data []byte
	pos  int
	base int
}

func (r *jsonbReader) malformed(offset int, reason string) error {
	return &FormatError{What: "rows", Offset: r.base + offset, Reason: reason, Kind: KindBadBatch}
}

func (r *jsonbReader) next() (element, error) {
	start := r.pos
	if start >= len(r.data) {
		return element{}, r.malformed(start, "an element is missing")
	}
	kind, form := r.data[start]&0x0f, r.data[start]>>4
	extra := 0
	if form > jsonbMaxInline {
		extra = 1 << (form - jsonbSize8)
	}
	if len(r.data)-start-1 < extra {
		return element{}, r.malformed(start, "an element's size is cut off")
	}
	size := uint64(form)
	if extra > 0 {
		var wide [8]byte
		copy(wide[8-extra:], r.data[start+1:])
		size = binary.BigEndian.Uint64(wide[:])
	}
	if size > uint64(len(r.data)-start-1-extra) {
		return element{}, r.malformed(start, fmt.Sprintf("an element of %d bytes goes beyond the end", size))
	}
	if jsonbHeaderLen(int(size)) != 1+extra {
		return element{}, r.malformed(start, "an element's size is not in its smallest form")
	}
	r.pos = start + 1 + extra + int(size)
	return element{kind: kind, payload: r.data[start+1+extra : r.pos : r.pos], at: start}, nil
}

func (r *jsonbReader) inside(e element) jsonbReader {
	return jsonbReader{data: e.payload, base: r.base + r.pos - len(e.payload)}
}

// DecodeJSONB reads the payload of a J frame back into rows, strictly: every byte must be as Frame writes it.
// The row and the bytes in it are valid only during the call of yield.
func DecodeJSONB(payload []byte, plan string, yield func(row []Value) error) (int, error) {
	outer := jsonbReader{data: payload}
	table, err := outer.next()
	if err != nil {
		return 0, err
	}
	if table.kind != jsonbArray || outer.pos != len(payload) {
		return 0, outer.malformed(0, "the payload is not one array")
	}
	rows := 0
	row := make([]Value, len(plan))
	r := outer.inside(table)
	for r.pos < len(r.data) {
		if err := r.row(plan, row); err != nil {
			return rows, err
		}
		rows++
		if err := yield(row); err != nil {
			return rows, err
		}
	}
	return rows, nil
}

func (r *jsonbReader) row(plan string, row []Value) error {
	e, err := r.next()
	if err != nil {
		return err
	}
	if e.kind != jsonbArray {
		return r.malformed(e.at, "a row is not an array")
	}
	cells := r.inside(e)
	for i := range row {
		if row[i], err = cells.cell(plan[i]); err != nil {
			return err
		}
	}
	if cells.pos != len(cells.data) {
		return cells.malformed(cells.pos, "a row has more elements than there are columns")
	}
	return nil
}

func (r *jsonbReader) cell(plan byte) (Value, error) {
	e, err := r.next()
	if err != nil {
		return Value{}, err
	}
	switch {
	case e.kind == jsonbNull && len(e.payload) == 0:
		return NullValue(), nil
	case e.kind == jsonbTextRaw && plan == planBlob:
		return BlobValue(e.payload), nil
	case e.kind == jsonbTextRaw:
		return Value{Class: Text, Bytes: e.payload}, nil
	case e.kind == jsonbArray && plan == planMixed:
		return r.blobInArray(e)
	case e.kind == jsonbInt && plan != planBlob:
		if i, ok := value.ParseDecimal(e.payload); ok {
			return IntValue(i), nil
		}
	case e.kind == jsonbFloat && plan != planBlob:
		if f, ok := parseRealText(e.payload); ok {
			return RealValue(f), nil
		}
	}
	return Value{}, r.malformed(
		e.at,
		fmt.Sprintf("an element of type %d does not belong in a column of plan %q", e.kind, plan),
	)
}

func (r *jsonbReader) blobInArray(e element) (Value, error) {
	content := r.inside(e)
	blob, err := content.next()
	if err != nil {
		return Value{}, err
	}
	if blob.kind != jsonbTextRaw || content.pos != len(content.data) {
		return Value{}, r.malformed(e.at, "an array that is not one TEXTRAW")
	}
	return BlobValue(blob.payload), nil
}

// parseRealText reads what value.AppendReal writes, and only that.
func parseRealText(text []byte) (float64, bool) {
	if len(text) > 32 {
		return 0, false
	}
	f, _ := strconv.ParseFloat(string(text), 64) // out of range gives the infinities, as meant
	return f, f == f && bytes.Equal(value.AppendReal(nil, f), text)
}
