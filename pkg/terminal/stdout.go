package terminal

import (
	"errors"
	"io"
	"sync"
	"syscall"
)

// Stdout is standard output, and notes what became of it: no command has ended well if a part of its results
// is missing there.
type Stdout struct {
	w    io.Writer
	mu   sync.Mutex
	lost error
}

// NewStdout notes what becomes of writes to w.
func NewStdout(w io.Writer) *Stdout { return &Stdout{w: w} }

// Below is what it writes to, which may be a terminal.
func (s *Stdout) Below() io.Writer { return s.w }

// Write is safe for concurrent use as far as that of the writer below is.
func (s *Stdout) Write(p []byte) (int, error) {
	n, err := s.w.Write(p)
	if err != nil && !errors.Is(err, syscall.EPIPE) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.lost == nil {
			s.lost = err
		}
	}
	return n, err
}

// Lost is why a part of what was written did not arrive, or nil. A reader who went away, as `head` does,
// wanted no more.
func (s *Stdout) Lost() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost
}
