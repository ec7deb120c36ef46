package userfile

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"io"
	"os"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// marked is a spooled file under a mark, ready to be PUT. Its MD5 is computed in the background.
type marked struct {
	io.ReaderAt
	mark   userdb.Mark
	size   int64
	head   []byte   // the header with the mark; nil for a tombstone
	stone  []byte   // a tombstone with the mark; nil for a file
	file   *os.File // under ReaderAt; nil for a tombstone
	summed chan struct{}
	sum    []byte // once summed is closed, with err
	err    error  // why the bytes must not be sent
}

// MarkAhead begins to hash what will be PUT under the mark, so that it need not be waited for when the time
// has come.
func (s *Copy) MarkAhead(mark userdb.Mark, random io.Reader) error {
	m, err := s.withMark(mark, random)
	if err != nil {
		return err
	}
	s.ahead.close()
	s.ahead = m
	return nil
}

// takeMarked returns the bytes under the mark, those made ahead if they carry it, and only if they are those
// that were checked. The caller closes them.
func (s *Copy) takeMarked(mark userdb.Mark, random io.Reader) (*marked, error) {
	m := s.ahead
	if m != nil && m.mark == mark {
		s.ahead = nil // each PUT has a random part of its own
	} else {
		var err error
		if m, err = s.withMark(mark, random); err != nil {
			return nil, err
		}
	}
	if err := m.intact(); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// withMark opens the spooled bytes as they are under the mark. A tombstone takes a fence too: it has no
// header, so all its bytes are written again.
func (s *Copy) withMark(mark userdb.Mark, random io.Reader) (*marked, error) {
	m := &marked{mark: mark, size: s.Size, summed: make(chan struct{})}
	if s.Tombstone() {
		raw, err := s.tombstoneWith(mark)
		if err != nil {
			return nil, err
		}
		m.ReaderAt, m.size, m.stone = bytes.NewReader(raw), int64(len(raw)), raw
		sum := md5.Sum(raw)
		m.sum = sum[:]
		close(m.summed)
	} else {
		head, err := markHead(s.head, mark, random)
		if err != nil {
			return nil, fmt.Errorf("mark %s: %w", s.Key, err)
		}
		if m.file, err = os.Open(s.Path); err != nil {
			return nil, err
		}
		m.ReaderAt, m.head = &patched{f: m.file, head: head}, head
		go func() {
			defer close(m.summed)
			m.sum, m.err = s.sums(m.file, head)
		}()
	}
	return m, nil
}

// intact waits for the hash, and says whether the bytes are those that were checked.
func (m *marked) intact() error {
	<-m.summed
	return m.err
}

func (m *marked) body() *io.SectionReader { return io.NewSectionReader(m, 0, m.size) }

// md5 is of bytes that are intact.
func (m *marked) md5() []byte { return m.sum }

func (m *marked) close() {
	if m == nil {
		return
	}
	<-m.summed
	if m.file != nil {
		m.file.Close()
	}
}

func (s *Copy) tombstoneWith(mark userdb.Mark) ([]byte, error) {
	raw, err := os.ReadFile(s.Path)
	if err != nil {
		return nil, err
	}
	sum := &unmarkedSum{hash: sha256.New()}
	sum.Write(raw)
	if sum.hex() != s.SHA {
		return nil, s.changed()
	}
	stone, err := userdb.ParseTombstone(raw)
	if err != nil {
		return nil, err
	}
	stone.Lin, stone.Non = mark.Lin, mark.Non
	return stone.Encode()
}

// patched reads head in place of the first bytes of f.
type patched struct {
	f    *os.File
	head []byte
}

func (p *patched) ReadAt(b []byte, off int64) (int, error) {
	if off >= int64(len(p.head)) {
		return p.f.ReadAt(b, off)
	}
	n := copy(b, p.head[off:])
	if n == len(b) {
		return n, nil
	}
	m, err := p.f.ReadAt(b[n:], off+int64(n))
	return n + m, err
}
