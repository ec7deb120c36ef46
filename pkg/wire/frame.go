package wire

import (
	"bytes"
	"encoding/json"
)

// MaxJSONBRow is the longest row, in bytes of JSONB, that travels in a J frame; longer ones go as D frames.
const MaxJSONBRow = 900_000

// How the cells of a column travel in a J frame (section 3.3).
const (
	planValue = 'v' // no blob
	planBlob  = 'b' // only BLOB and NULL
	planMixed = 'm' // blobs among others, each an array of one TEXTRAW
)

// What a column's cells in the current frame were.
const (
	sawBlob = 1 << iota
	sawOther
)

// Frame gathers rows of one table as SQLite JSONB. A column's blobs are written as plain TEXTRAW as long as
// no other class shares the column; when one does, the frame ends there, and in all later frames of the table
// the column travels mixed. So nothing is ever encoded twice, and each column can end at most one frame
// early.
type Frame struct {
	table    string
	columns  []string
	maxBytes int
	saw      []byte // per column: the classes in this frame
	wrap     []bool // per column: this frame wraps blobs in arrays
	mixed    []bool // per column: later frames will; once found never forgotten
	sent     int64  // of the table, before this frame's rows
	rows     int
	body     []byte // maxJSONBHeader reserved bytes, then the rows
	rowLen   int    // header length of the last row: the guess for the next
}

// NewFrame makes frames for table with at most maxBytes bytes of JSONB each (Limits.FrameBytes).
func NewFrame(table string, columns []string, maxBytes int64) *Frame {
	f := &Frame{maxBytes: int(maxBytes), body: make([]byte, maxJSONBHeader, 64<<10)}
	f.SetTable(table, columns)
	return f
}

// SetTable makes the frame, which must be empty, ready for another table and keeps its memory.
func (f *Frame) SetTable(table string, columns []string) {
	f.table, f.columns = table, columns
	f.saw = make([]byte, len(columns))
	f.wrap = make([]bool, len(columns))
	f.mixed = make([]bool, len(columns))
	f.rowLen = 2
	f.sent = 0
	f.clear()
}

func (f *Frame) clear() {
	clear(f.saw)
	copy(f.wrap, f.mixed)
	f.rows = 0
	f.body = f.body[:maxJSONBHeader]
}

// Rows is the number of rows in the frame.
func (f *Frame) Rows() int { return f.rows }

// Add takes a row, copying it, or returns false when this frame has to be sent first. On an empty frame false
// means that the row is too long for any J frame: send it with Batch.AppendRow.
func (f *Frame) Add(row []Value) bool {
	if len(row) != len(f.columns) {
		panic("wire: a row of another length than the frame's columns")
	}
	if tooLong(row) || !f.admit(row) {
		return false
	}
	start := len(f.body)
	f.body = f.appendRow(f.body, row)
	size := len(f.body) - start
	if size > MaxJSONBRow || len(f.body)-maxJSONBHeader+jsonbHeaderLen(len(f.body)) > f.maxBytes {
		f.body = f.body[:start]
		return false
	}
	for i := range row {
		f.saw[i] |= classBit(&row[i])
	}
	f.rows++
	return true
}

// tooLong spares the encoding of a row if its bytes alone are too long.
func tooLong(row []Value) bool {
	n := 0
	for i := range row {
		n += len(row[i].Bytes)
	}
	return n > MaxJSONBRow
}

// admit is false, and the columns are marked as mixed, when the row brings blobs to a column of others or the
// reverse.
func (f *Frame) admit(row []Value) bool {
	ok := true
	for i := range row {
		if f.saw[i]|classBit(&row[i]) == sawBlob|sawOther && !f.wrap[i] {
			f.mixed[i] = true
			ok = false
		}
	}
	return ok
}

func classBit(v *Value) byte {
	switch {
	case v.Class == Blob:
		return sawBlob
	case v.IsNull():
		return 0
	}
	return sawOther
}

func (f *Frame) appendRow(b []byte, row []Value) []byte {
	start := len(b)
	var room [maxJSONBHeader]byte
	b = append(b, room[:f.rowLen]...)
	for i := range row {
		b = appendJSONBCell(b, &row[i], f.wrap[i])
	}
	b, f.rowLen = insertJSONBHeader(b, start, f.rowLen, jsonbArray)
	return b
}

func appendJSONBCell(b []byte, v *Value, mixed bool) []byte {
	switch {
	case v.IsNull():
		return append(b, jsonbNull)
	case v.Class == Integer:
		return appendJSONBInt(b, v.Int)
	case v.Class == Real:
		return appendJSONBReal(b, v.Real)
	case v.Class == Blob && mixed:
		return appendJSONBBlobArray(b, v.Bytes)
	}
	return appendJSONBBytes(b, v.Bytes)
}

// Size is at least the number of bytes that AppendTo would append.
func (f *Frame) Size() int {
	if f.rows == 0 {
		return 0
	}
	return len(f.body) + len(f.header()) + frameOverhead
}

// AppendTo appends the frame, if it has rows, to a batch and empties it for the table's next rows.
func (f *Frame) AppendTo(b *Batch) {
	if f.rows == 0 {
		return
	}
	payload := len(f.body) - maxJSONBHeader
	start := maxJSONBHeader - jsonbHeaderLen(payload)
	appendJSONBHeader(f.body[:start], jsonbArray, payload)
	b.appendFrame(frameJSONB, f.header(), f.body[start:])
	b.rows += f.rows
	f.sent += int64(f.rows)
	f.clear()
}

func (f *Frame) header() []byte {
	plan := make([]byte, len(f.columns))
	for i := range plan {
		switch {
		case f.wrap[i]:
			plan[i] = planMixed
		case f.saw[i] == sawBlob:
			plan[i] = planBlob
		default:
			plan[i] = planValue
		}
	}
	return frameHeaderJSON(
		FrameHeader{Table: f.table, Columns: f.columns, Plan: string(plan), Rows: f.rows, From: f.sent},
	)
}

// FrameHeader is the JSON in front of a frame's payload.
type FrameHeader struct {
	Table   string   `json:"table"`
	Columns []string `json:"columns"`
	Plan    string   `json:"plan"`
	Rows    int      `json:"rows"`
	From    int64    `json:"from"` // how many rows of the table come before these
}

func frameHeaderJSON(h FrameHeader) []byte { return compactJSON(h) }

// compactJSON writes JSON without HTML's escapes, so that the bytes are those that JavaScript's
// JSON.stringify gives.
func compactJSON(v any) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic("wire: " + err.Error()) // headers hold only strings and numbers
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}
