package wire

import (
	"crypto/sha256"
	"hash"
)

// PageRows is how many rows make one page of a table digest (section 6).
const PageRows = 2048

// flushBytes is how many bytes of cells are gathered before they are hashed: large enough to feed SHA-256
// whole runs of blocks, small enough to stay in the processor's cache.
const flushBytes = 16 << 10

// rowsHasher computes SHA-256(cells ‖ reals) over the rows it is given. Cells stream through; REALs are kept
// until the end.
type rowsHasher struct {
	sum   hash.Hash
	cells []byte
	reals []byte
}

func newRowsHasher() rowsHasher {
	return rowsHasher{sum: sha256.New(), cells: make([]byte, 0, 2*flushBytes)}
}

func (h *rowsHasher) add(row []Value) {
	for i := range row {
		v := &row[i]
		if len(v.Bytes) >= flushBytes && (v.Class == Text || v.Class == Blob) {
			h.addLong(v)
			continue
		}
		h.cells, h.reals = appendCell(h.cells, h.reals, v)
		if len(h.cells) >= flushBytes {
			h.flush()
		}
	}
}

// addLong hashes a long value where it lies instead of copying it.
func (h *rowsHasher) addLong(v *Value) {
	class := byte('T')
	if v.Class == Blob {
		class = 'B'
	}
	h.cells = appendLength(h.cells, class, len(v.Bytes))
	h.flush()
	h.sum.Write(v.Bytes)
}

func (h *rowsHasher) flush() {
	h.sum.Write(h.cells)
	h.cells = h.cells[:0]
}

// end returns the digest and makes h ready for the next page.
func (h *rowsHasher) end() (digest [32]byte) {
	h.flush()
	h.sum.Write(h.reals)
	h.sum.Sum(digest[:0])
	h.sum.Reset()
	h.reals = h.reals[:0]
	return digest
}

// TableHasher computes the digest of a table from its rows in key order. Its memory is that of the REALs of
// one page.
type TableHasher struct {
	page   rowsHasher
	table  hash.Hash
	rows   int64
	inPage int
}

// NewTableHasher returns a hasher that has seen no row.
func NewTableHasher() *TableHasher {
	return &TableHasher{page: newRowsHasher(), table: sha256.New()}
}

// Add takes the next row; it keeps nothing of it.
func (h *TableHasher) Add(row []Value) {
	h.page.add(row)
	h.countRow()
}

func (h *TableHasher) countRow() {
	h.rows++
	h.inPage++
	if h.inPage == PageRows {
		h.endPage()
	}
}

func (h *TableHasher) endPage() {
	digest := h.page.end()
	h.table.Write(digest[:])
	h.inPage = 0
}

// Sum ends the table, returns how many rows it has and its digest, and makes h ready for another table.
func (h *TableHasher) Sum() (rows int64, digest [32]byte) {
	if h.inPage > 0 {
		h.endPage()
	}
	h.table.Sum(digest[:0])
	rows = h.rows
	h.table.Reset()
	h.rows = 0
	return rows, digest
}

// RangeHasher computes the digest of a range of rows (RangeDigest): one page of any length. Its memory grows
// with the REALs of the range, so ask for ranges with a limit.
type RangeHasher struct {
	page rowsHasher
	rows int64
}

// NewRangeHasher returns a hasher that has seen no row.
func NewRangeHasher() *RangeHasher { return &RangeHasher{page: newRowsHasher()} }

// Add takes the next row; it keeps nothing of it.
func (h *RangeHasher) Add(row []Value) {
	h.page.add(row)
	h.rows++
}

// Sum returns how many rows the range has and its digest, and makes h ready for another range.
func (h *RangeHasher) Sum() (rows int64, digest [32]byte) {
	rows = h.rows
	h.rows = 0
	return rows, h.page.end()
}
