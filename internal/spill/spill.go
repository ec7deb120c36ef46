// Package spill sorts more records than memory should hold: a few stay in memory, many go to sorted files in
// the run's scratch folder, which are merged as they are read.
package spill

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
)

// most is how many records are kept in memory. A fleet below it needs no file.
const most = 10_000

// Sorter takes records in any order, and gives them back in order. It is not safe for concurrent use.
type Sorter[T any] struct {
	dir     func() (string, error)
	compare func(a, b T) int
	most    int
	waiting []T
	sorted  bool
	files   []*os.File
	all     int
}

// New makes a Sorter. dir says where its files may be; it is asked when the first one is needed. Records go
// through JSON there.
func New[T any](dir func() (string, error), compare func(a, b T) int) *Sorter[T] {
	return &Sorter[T]{dir: dir, compare: compare, most: most}
}

// Len is how many records there are.
func (s *Sorter[T]) Len() int { return s.all }

// Add takes one more.
func (s *Sorter[T]) Add(one T) error {
	s.waiting, s.sorted = append(s.waiting, one), false
	s.all++
	if len(s.waiting) < s.most {
		return nil
	}
	return s.write()
}

// write puts what waits into a file of its own.
func (s *Sorter[T]) write() error {
	s.sort()
	dir, err := s.dir()
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "dbmigrate-sort-")
	if err != nil {
		return err
	}
	s.files = append(s.files, f)
	w := bufio.NewWriterSize(f, 1<<16)
	lines := json.NewEncoder(w)
	for i := range s.waiting {
		if err := lines.Encode(&s.waiting[i]); err != nil {
			return err
		}
	}
	clear(s.waiting)
	s.waiting = s.waiting[:0]
	return w.Flush()
}

func (s *Sorter[T]) sort() {
	if !s.sorted {
		slices.SortStableFunc(s.waiting, s.compare)
		s.sorted = true
	}
}

// Each calls yield for every record, in order. It can be called again, and more can be added afterwards.
func (s *Sorter[T]) Each(yield func(T) error) error {
	s.sort()
	heads := []*head[T]{{waiting: s.waiting}}
	for _, f := range s.files {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		heads = append(heads, &head[T]{lines: json.NewDecoder(bufio.NewReaderSize(f, 1<<16))})
	}
	for i := 0; i < len(heads); {
		more, err := heads[i].next()
		if err != nil {
			return err
		}
		if !more {
			heads = slices.Delete(heads, i, i+1)
			continue
		}
		i++
	}
	for len(heads) > 0 {
		least := 0
		for i := range heads {
			if s.compare(heads[i].one, heads[least].one) < 0 {
				least = i
			}
		}
		if err := yield(heads[least].one); err != nil {
			return err
		}
		more, err := heads[least].next()
		if err != nil {
			return err
		}
		if !more {
			heads = slices.Delete(heads, least, least+1)
		}
	}
	return nil
}

// Close removes the files.
func (s *Sorter[T]) Close() error {
	var err error
	for _, f := range s.files {
		err = errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	s.files, s.waiting, s.all = nil, nil, 0
	return err
}

// head is the next record of a file, or of those in memory.
type head[T any] struct {
	lines   *json.Decoder // nil: in memory
	waiting []T
	one     T
}

func (h *head[T]) next() (more bool, err error) {
	if h.lines == nil {
		if len(h.waiting) == 0 {
			return false, nil
		}
		h.one, h.waiting = h.waiting[0], h.waiting[1:]
		return true, nil
	}
	var one T
	if err := h.lines.Decode(&one); err != nil {
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		return false, err
	}
	h.one = one
	return true, nil
}
