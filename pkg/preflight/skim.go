package preflight

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
)

// RangeReader reads at most length bytes from offset on of a file that is elsewhere; a file that ends before
// gives fewer.
type RangeReader func(offset, length int64) ([]byte, error)

const (
	// SkimBytes is how much FirstLook reads at once: the largest page, and for most databases the whole
	// schema.
	SkimBytes = 64 << 10
	// skimMost is how much FirstLook reads at most. A schema that takes more is cheaper to judge with the
	// file.
	skimMost = 4 << 20
)

// errUnclear means that the pages of the schema do not lead to where all of it is: only SQLite with the whole
// file can tell why.
var errUnclear = errors.New("the schema is not where its pages say")

// skim copies the header and the pages of sqlite_schema of a file elsewhere into an otherwise empty (sparse)
// file of the same size: all that SQLite needs to read the schema (sqlite.org/fileformat2.html, sections 1.5
// and 1.6).
type skim struct {
	to     *os.File
	size   int64
	read   RangeReader
	taken  map[int64]bool // blocks of SkimBytes that were copied
	seen   map[uint32]bool
	page   int64 // size of a page
	usable int   // of it, for content
}

func newSkim(path string, size int64, read RangeReader) (*skim, error) {
	to, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("create file for the schema: %w", err)
	}
	s := &skim{to: to, size: size, read: read, taken: map[int64]bool{}, seen: map[uint32]bool{}}
	if err := to.Truncate(size); err != nil {
		return nil, errors.Join(err, to.Close())
	}
	return s, nil
}

// take copies the blocks that hold length bytes from offset on.
func (s *skim) take(offset, length int64) error {
	for block := offset / SkimBytes; block*SkimBytes < min(offset+length, s.size); block++ {
		if s.taken[block] {
			continue
		}
		if len(s.taken)*SkimBytes >= skimMost {
			return errUnclear
		}
		content, err := s.read(block*SkimBytes, min(SkimBytes, s.size-block*SkimBytes))
		if err != nil {
			return err
		}
		if _, err := s.to.WriteAt(content, block*SkimBytes); err != nil {
			return fmt.Errorf("write file for the schema: %w", err)
		}
		s.taken[block] = true
	}
	return nil
}

// schema copies every page of sqlite_schema. A page has so many bytes, and so many of them are for content.
func (s *skim) schema(pageSize, usable int) error {
	s.page, s.usable = int64(pageSize), usable
	if s.usable < 480 { // the least that SQLite takes
		return errUnclear
	}
	return s.tree(1)
}

// next copies a page that nothing led to before, and returns it.
func (s *skim) next(number uint32) ([]byte, error) {
	offset := (int64(number) - 1) * s.page
	if number == 0 || offset+s.page > s.size || s.seen[number] {
		return nil, errUnclear
	}
	s.seen[number] = true
	if err := s.take(offset, s.page); err != nil {
		return nil, err
	}
	content := make([]byte, s.page)
	_, err := s.to.ReadAt(content, offset)
	return content, err
}

// The kinds of pages of a table.
const (
	interiorPage = 0x05
	leafPage     = 0x0d
)

// tree copies a page of the table and everything below it.
func (s *skim) tree(number uint32) error {
	page, err := s.next(number)
	if err != nil {
		return err
	}
	head := page
	if number == 1 {
		head = page[100:]
	}
	cells, below := int(binary.BigEndian.Uint16(head[3:])), head[8:]
	switch head[0] {
	case interiorPage:
		if err := s.tree(binary.BigEndian.Uint32(head[8:])); err != nil {
			return err
		}
		below = head[12:]
	case leafPage:
	default:
		return errUnclear
	}
	if 2*cells > len(below) {
		return errUnclear
	}
	for i := range cells {
		at := int(binary.BigEndian.Uint16(below[2*i:]))
		if at > len(page)-4 {
			return errUnclear
		}
		if head[0] == interiorPage {
			err = s.tree(binary.BigEndian.Uint32(page[at:]))
		} else {
			err = s.cell(page[at:])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// cell copies the overflow pages of a leaf's cell.
func (s *skim) cell(cell []byte) error {
	payload, n := varint(cell)
	_, m := varint(cell[n:])
	left, inPage := int64(payload), int64(s.inPage(payload))
	if left == inPage {
		return nil
	}
	at := int64(n+m) + inPage
	if at+4 > int64(len(cell)) {
		return errUnclear
	}
	left -= inPage
	for number := binary.BigEndian.Uint32(cell[at:]); left > 0; left -= int64(s.usable - 4) {
		page, err := s.next(number)
		if err != nil {
			return err
		}
		number = binary.BigEndian.Uint32(page)
	}
	return nil
}

// inPage is how much of a payload stands in the leaf itself.
func (s *skim) inPage(payload uint64) uint64 {
	usable := uint64(s.usable)
	if payload <= usable-35 {
		return payload
	}
	least := (usable-12)*32/255 - 23
	if k := least + (payload-least)%(usable-4); k <= usable-35 {
		return k
	}
	return least
}

// varint reads SQLite's variable-length integer and says how many bytes it has; one that is cut off counts as
// far as it goes.
func varint(b []byte) (value uint64, n int) {
	for n < len(b) && n < 8 {
		value = value<<7 | uint64(b[n]&0x7f)
		n++
		if b[n-1] < 0x80 {
			return value, n
		}
	}
	if n < len(b) {
		return value<<8 | uint64(b[n]), n + 1
	}
	return value, n
}
