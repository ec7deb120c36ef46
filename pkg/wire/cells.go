package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"github.com/dbmigrate/dbmigrate/pkg/value"
)

// FormatError says which bytes of a binary message are malformed. Kind is the wire kind that the other end
// would answer.
type FormatError struct {
	What   string // "cells", "export page", "batch", ...
	Offset int    // in bytes from the beginning of What
	Reason string
	Kind   string
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("read %s: byte %d: %s", e.What, e.Offset, e.Reason)
}

// AppendRow appends the cells of row to cells and its REALs to reals (section 3.1) and returns both.
func AppendRow(cells, reals []byte, row []Value) (cells2, reals2 []byte) {
	for i := range row {
		cells, reals = appendCell(cells, reals, &row[i])
	}
	return cells, reals
}

func appendCell(cells, reals []byte, v *Value) ([]byte, []byte) {
	switch v.Class {
	case Integer:
		return append(strconv.AppendInt(append(cells, 'I'), v.Int, 10), ';'), reals
	case Real:
		if v.Real != v.Real {
			return append(cells, 'N'), reals
		}
		return append(cells, 'R'), binary.LittleEndian.AppendUint64(reals, math.Float64bits(v.Real))
	case Text:
		return append(appendLength(cells, 'T', len(v.Bytes)), v.Bytes...), reals
	case Blob:
		return append(appendLength(cells, 'B', len(v.Bytes)), v.Bytes...), reals
	case Null, 0:
		return append(cells, 'N'), reals
	}
	panic(fmt.Sprintf("wire: storage class %d does not exist", v.Class))
}

func appendLength(cells []byte, class byte, n int) []byte {
	return append(strconv.AppendInt(append(cells, class), int64(n), 10), ':')
}

// DecodeRows reads rows of so many columns until both streams end and hands each to yield. The row and the
// bytes in it are valid only during the call (the bytes alias cells). It returns the number of rows and stops
// at the first malformed byte or error of yield.
func DecodeRows(cells, reals []byte, columns int, yield func(row []Value) error) (int64, error) {
	if columns < 1 {
		return 0, &FormatError{What: "cells", Reason: "a row has at least one column", Kind: KindBadBatch}
	}
	r := cellReader{cells: cells, reals: reals}
	row := make([]Value, columns)
	var rows int64
	for r.pos < len(cells) {
		for i := range row {
			if err := r.next(&row[i]); err != nil {
				return rows, err
			}
		}
		rows++
		if err := yield(row); err != nil {
			return rows, err
		}
	}
	return rows, r.end()
}

// cellReader reads cells one by one, without copying: the bytes of a TEXT or BLOB alias the stream.
type cellReader struct {
	cells, reals []byte
	pos, realPos int
}

// end is an error unless both streams were read to their ends.
func (r *cellReader) end() error {
	if r.pos < len(r.cells) {
		return r.malformed(r.pos, "bytes behind the last row")
	}
	if r.realPos != len(r.reals) {
		return r.malformed(r.pos, fmt.Sprintf("%d bytes of reals belong to no cell", len(r.reals)-r.realPos))
	}
	return nil
}

func (r *cellReader) next(v *Value) error {
	if r.pos >= len(r.cells) {
		return r.malformed(r.pos, "the row ends early")
	}
	tag := r.cells[r.pos]
	switch tag {
	case 'N':
		r.pos++
		*v = Value{Class: Null}
		return nil
	case 'I':
		return r.integer(v)
	case 'R':
		return r.real(v)
	case 'T':
		return r.bytes(v, Text)
	case 'B':
		return r.bytes(v, Blob)
	}
	return r.malformed(r.pos, fmt.Sprintf("%q starts no cell", tag))
}

func (r *cellReader) integer(v *Value) error {
	start := r.pos + 1
	end, ok := r.find(';', start)
	if !ok {
		return r.malformed(start, "an INTEGER without its end")
	}
	i, ok := value.ParseDecimal(r.cells[start:end])
	if !ok {
		return r.malformed(start, "an INTEGER that is not a plain 64-bit decimal")
	}
	r.pos = end + 1
	*v = Value{Class: Integer, Int: i}
	return nil
}

func (r *cellReader) real(v *Value) error {
	if len(r.reals)-r.realPos < 8 {
		return r.malformed(r.pos, "a REAL without its 8 bytes in the reals")
	}
	f := math.Float64frombits(binary.LittleEndian.Uint64(r.reals[r.realPos:]))
	if f != f {
		return r.malformed(r.pos, "a REAL that is not a number, which SQLite cannot hold")
	}
	r.pos++
	r.realPos += 8
	*v = Value{Class: Real, Real: f}
	return nil
}

func (r *cellReader) bytes(v *Value, class StorageClass) error {
	start := r.pos + 1
	end, ok := r.find(':', start)
	if !ok {
		return r.malformed(start, "a length without its end")
	}
	n, ok := value.ParseDecimal(r.cells[start:end])
	if !ok || n < 0 {
		return r.malformed(start, "a length that is not a plain decimal")
	}
	if n > int64(len(r.cells)-end-1) {
		return r.malformed(
			start,
			fmt.Sprintf("%d bytes are announced and %d are there", n, len(r.cells)-end-1),
		)
	}
	r.pos = end + 1 + int(n)
	*v = Value{Class: class, Bytes: r.cells[end+1 : r.pos : r.pos]}
	return nil
}

// find looks for the end of a decimal, at most as far as 64 bits can reach, so that a missing end costs no
// walk through a blob.
func (r *cellReader) find(end byte, start int) (int, bool) {
	stop := min(len(r.cells), start+21)
	for i := start; i < stop; i++ {
		if r.cells[i] == end {
			return i, true
		}
	}
	return 0, false
}

func (r *cellReader) malformed(offset int, reason string) error {
	return &FormatError{What: "cells", Offset: offset, Reason: reason, Kind: KindBadBatch}
}
