package wire

import (
	"fmt"
	"strconv"
	"strings"
)

// Census is what one plain scan counts in a table (section 6). It shares no code and no query with the
// readers of rows, so it finds what two readers with the same fault overlook alike. The zero Census is that
// of an empty table, or of a side that takes none.
type Census struct {
	Rows     int64 `json:"rows"`
	Integers int64 `json:"integers"` // cells, the rowid among them
	Reals    int64 `json:"reals"`    // cells
	Nulls    int64 `json:"nulls"`    // cells
	Text     int64 `json:"text"`     // bytes, as UTF-8
	Blob     int64 `json:"blob"`     // bytes
	// First and Last are the smallest and the largest rowid, "" for a table without rowids.
	First string `json:"first,omitempty"`
	Last  string `json:"last,omitempty"`
	// Sum is a sum of row hashes: of what each row counts, by its rowid. It does not depend on the order.
	Sum string `json:"sum"`
}

// Taken says whether there is something to compare.
func (c Census) Taken() bool { return c != Census{} }

// Difference says in words in what other differs, from c's point of view, and "" when nothing does or one of
// them was not taken.
func (c Census) Difference(other Census) string {
	if !c.Taken() || !other.Taken() {
		return ""
	}
	var parts []string
	number := func(what string, a, b int64) {
		if a != b {
			parts = append(parts, fmt.Sprintf("%d against %d %s", a, b, what))
		}
	}
	number("rows", c.Rows, other.Rows)
	number("INTEGERs", c.Integers, other.Integers)
	number("REALs", c.Reals, other.Reals)
	number("NULLs", c.Nulls, other.Nulls)
	number("bytes of TEXT", c.Text, other.Text)
	number("bytes of BLOB", c.Blob, other.Blob)
	if c.First != other.First || c.Last != other.Last {
		parts = append(
			parts,
			fmt.Sprintf("rowids %s to %s against %s to %s", c.First, c.Last, other.First, other.Last),
		)
	}
	if len(parts) == 0 && c.Sum != other.Sum {
		parts = append(parts, "the same counts, spread over the rows in another way")
	}
	return strings.Join(parts, ", ")
}

// The weights with which cells count in a row's hash. A row of at most 100 columns and 16 MB fits into 62
// bits.
const (
	realWeight  = 1 << 7
	textWeight  = 1 << 14
	blobWeight  = 1 << 38
	hashModulus = 32749
	hashMask    = 0xffff
)

// KeyCell is a part of the key by which rows are ordered.
type KeyCell struct {
	Cell      int // where it stands in a row
	Collation string
	Desc      bool
}

// Tally counts rows that pass by into the Census that a scan of their table gives, and demands that each key
// lies behind the one before: a page that is missing, comes twice or overlaps shows in one of the two.
type Tally struct {
	key   []KeyCell
	rowid bool
	order bool
	last  Key
	sum   int64
	first int64
	final int64
	c     Census
}

// NewTally begins to count rows with this key; rowid says that it is the table's rowid.
func NewTally(key []KeyCell, rowid bool) *Tally { return &Tally{key: key, rowid: rowid, order: true} }

// AnyOrder takes rows in whatever order they come.
func (t *Tally) AnyOrder() { t.order = false }

// Add counts a row and keeps nothing of it but its key.
func (t *Tally) Add(row []Value) error {
	if err := t.demandOrder(row); err != nil {
		return err
	}
	weight := int64(0)
	for i := range row {
		weight += t.cell(&row[i])
	}
	place := weight
	if t.rowid {
		place = row[t.key[0].Cell].Int
		t.spread(place)
	}
	t.sum += weight % hashModulus * (1 + place&hashMask)
	t.c.Rows++
	return nil
}

func (t *Tally) cell(v *Value) int64 {
	switch {
	case v.IsNull():
		t.c.Nulls++
		return 0
	case v.Class == Integer:
		t.c.Integers++
		return 1
	case v.Class == Real:
		t.c.Reals++
		return realWeight
	case v.Class == Text:
		t.c.Text += int64(len(v.Bytes))
		return int64(len(v.Bytes)) * textWeight
	}
	t.c.Blob += int64(len(v.Bytes))
	return int64(len(v.Bytes)) * blobWeight
}

func (t *Tally) spread(rowid int64) {
	if t.c.Rows == 0 {
		t.first, t.final = rowid, rowid
	}
	t.first, t.final = min(t.first, rowid), max(t.final, rowid)
}

func (t *Tally) demandOrder(row []Value) error {
	if !t.order {
		return nil
	}
	if t.last == nil {
		t.last = make(Key, len(t.key))
	} else if c := t.compareKey(row); c >= 0 {
		return fmt.Errorf("row %s comes behind row %s, which is not the order of the keys", keyOf(row, t.key), t.last)
	}
	for i, k := range t.key {
		kept := append(t.last[i].Bytes[:0], row[k.Cell].Bytes...)
		t.last[i] = row[k.Cell]
		t.last[i].Bytes = kept
	}
	return nil
}

// compareKey compares the last key with that of row; less than 0 is as it should be.
func (t *Tally) compareKey(row []Value) int {
	for i, k := range t.key {
		c := CompareValues(&t.last[i], &row[k.Cell], k.Collation)
		if k.Desc {
			c = -c
		}
		if c != 0 {
			return c
		}
	}
	return 0
}

func keyOf(row []Value, key []KeyCell) Key {
	out := make(Key, len(key))
	for i, k := range key {
		out[i] = row[k.Cell]
	}
	return out
}

// EndsAt says whether the last row had this key.
func (t *Tally) EndsAt(key Key) bool {
	if len(key) != len(t.last) {
		return false
	}
	for i := range key {
		if !key[i].Equal(t.last[i]) {
			return false
		}
	}
	return true
}

// Census is what was counted so far; the zero one before the first row.
func (t *Tally) Census() Census {
	if t.c.Rows == 0 {
		return Census{}
	}
	c := t.c
	if t.rowid {
		c.First, c.Last = strconv.FormatInt(t.first, 10), strconv.FormatInt(t.final, 10)
	}
	c.Sum = strconv.FormatInt(t.sum, 10)
	return c
}
