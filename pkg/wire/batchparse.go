package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// ParsedFrame is one frame of a batch; the payload aliases the body.
type ParsedFrame struct {
	Kind byte // 'J' or 'D'
	FrameHeader
	Payload []byte
}

// ParseBatch splits the body of a rows request into its frames and checks the framing, not the payloads (see
// ParsedFrame.Decode).
func ParseBatch(body []byte, limits Limits) ([]ParsedFrame, error) {
	if int64(len(body)) > limits.BatchBytes {
		return nil, &FormatError{
			What:   "batch",
			Reason: fmt.Sprintf("%d bytes, and a request holds %d", len(body), limits.BatchBytes),
			Kind:   KindTooLarge,
		}
	}
	r := blockReader{what: "batch", data: body}
	if !r.magic(batchMagic) {
		return nil, r.malformed(0, "it does not begin with "+batchMagic)
	}
	var frames []ParsedFrame
	for r.pos < len(body) {
		f, err := r.frame(limits)
		if err != nil {
			return nil, err
		}
		frames = append(frames, f)
	}
	return frames, nil
}

func (r *blockReader) frame(limits Limits) (ParsedFrame, error) {
	start := r.pos
	f := ParsedFrame{Kind: r.data[r.pos]}
	r.pos++
	if f.Kind != frameJSONB && f.Kind != frameCells {
		return f, r.malformed(start, fmt.Sprintf("%q is no kind of frame", f.Kind))
	}
	header, err := r.block("header")
	if err != nil {
		return f, err
	}
	if err := strictJSON(header, &f.FrameHeader); err != nil {
		return f, r.malformed(start, "header: "+err.Error())
	}
	if f.Payload, err = r.block("payload"); err != nil {
		return f, err
	}
	if reason := f.check(limits); reason != "" {
		return f, r.malformed(start, reason)
	}
	return f, nil
}

func (f *ParsedFrame) check(limits Limits) string {
	switch {
	case f.Table == "":
		return "header: no table is named"
	case len(f.Columns) == 0:
		return "header: no column is named"
	case len(f.Columns) > limits.Columns+1: // the rowid's name may come on top
		return fmt.Sprintf("header: %d columns, and a table has at most %d", len(f.Columns), limits.Columns)
	case f.From < 0:
		return "header: a frame begins before the first row"
	case f.Rows < 1:
		return "header: a frame has at least one row"
	case f.Kind == frameCells && (f.Plan != "" || f.Rows != 1):
		return "header: a D frame has one row and no plan"
	case f.Kind == frameJSONB && len(f.Plan) != len(f.Columns):
		return "header: the plan has not one letter per column"
	case strings.Trim(f.Plan, "vbm") != "":
		return "header: the plan has a letter other than v, b and m"
	case f.Kind == frameJSONB && int64(len(f.Payload)) > limits.FrameBytes:
		return fmt.Sprintf("payload: %d bytes, and a J frame holds %d", len(f.Payload), limits.FrameBytes)
	}
	return ""
}

// Decode reads the rows of the frame, strictly, and checks their number. The row and the bytes in it are
// valid only during the call of yield.
func (f *ParsedFrame) Decode(yield func(row []Value) error) error {
	var rows int64
	var err error
	if f.Kind == frameJSONB {
		var n int
		n, err = DecodeJSONB(f.Payload, f.Plan, yield)
		rows = int64(n)
	} else {
		rows, err = f.decodeCells(yield)
	}
	if err == nil && rows != int64(f.Rows) {
		err = &FormatError{
			What:   "rows",
			Reason: fmt.Sprintf("%d rows are announced and %d are there", f.Rows, rows),
			Kind:   KindBadBatch,
		}
	}
	return err
}

func (f *ParsedFrame) decodeCells(yield func(row []Value) error) (int64, error) {
	r := blockReader{what: "rows", data: f.Payload}
	cells, err := r.block("cells")
	if err != nil {
		return 0, err
	}
	return DecodeRows(cells, f.Payload[r.pos:], len(f.Columns), yield)
}

// blockReader reads a magic and then blocks, each behind its length as u32.
type blockReader struct {
	what string
	data []byte
	pos  int
}

func (r *blockReader) malformed(offset int, reason string) error {
	return &FormatError{What: r.what, Offset: offset, Reason: reason, Kind: KindBadBatch}
}

func (r *blockReader) magic(text string) bool {
	if !bytes.HasPrefix(r.data, []byte(text)) {
		return false
	}
	r.pos = len(text)
	return true
}

func (r *blockReader) block(name string) ([]byte, error) {
	start := r.pos
	if len(r.data)-start < 4 {
		return nil, r.malformed(start, name+": its length is cut off")
	}
	n := binary.LittleEndian.Uint32(r.data[start:])
	if uint64(n) > uint64(len(r.data)-start-4) {
		return nil, r.malformed(
			start,
			fmt.Sprintf("%s: %d bytes are announced and %d are there", name, n, len(r.data)-start-4),
		)
	}
	r.pos = start + 4 + int(n)
	return r.data[start+4 : r.pos : r.pos], nil
}

// strictJSON refuses members that into does not know, and anything behind the value.
func strictJSON(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("something follows the JSON value")
	}
	return nil
}
