package wire

import "encoding/binary"

const (
	batchMagic = "DMR1"

	frameJSONB = 'J'
	frameCells = 'D'

	frameOverhead = 1 + 4 + 4 // kind and the two lengths
)

// Batch is the body of one rows request (section 4). Its number travels in the URL.
type Batch struct {
	body []byte
	rows int
}

// NewBatch returns an empty batch that writes into buf's memory (which may be nil).
func NewBatch(buf []byte) *Batch { return &Batch{body: append(buf[:0], batchMagic...)} }

// Bytes is the body so far; it aliases the batch.
func (b *Batch) Bytes() []byte { return b.body }

// Len is the length of the body in bytes.
func (b *Batch) Len() int { return len(b.body) }

// Rows is how many rows the batch carries.
func (b *Batch) Rows() int { return b.rows }

// AppendRow appends one row as cells (a D frame): the way for rows that are too long for JSONB. From is how
// many rows of the table come before it.
func (b *Batch) AppendRow(table string, columns []string, from int64, row []Value) {
	cells, reals := AppendRow(make([]byte, 4, 4+maxRowSize(row)), nil, row)
	binary.LittleEndian.PutUint32(cells, uint32(len(cells)-4))
	b.appendFrame(
		frameCells,
		frameHeaderJSON(FrameHeader{Table: table, Columns: columns, Rows: 1, From: from}),
		append(cells, reals...),
	)
	b.rows++
}

// maxRowSize is at least the number of bytes of the row's cells and reals.
func maxRowSize(row []Value) int {
	n := 0
	for i := range row {
		n += len(row[i].Bytes) + len("I-9223372036854775808;")
	}
	return n
}

func (b *Batch) appendFrame(kind byte, header, payload []byte) {
	b.body = append(b.body, kind)
	b.body = binary.LittleEndian.AppendUint32(b.body, uint32(len(header)))
	b.body = append(b.body, header...)
	b.body = binary.LittleEndian.AppendUint32(b.body, uint32(len(payload)))
	b.body = append(b.body, payload...)
}
