package r2

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

// brokenBody is a transfer that ended before its time.
type brokenBody struct {
	at, of int64
	err    error
}

func (b *brokenBody) Error() string {
	return fmt.Sprintf("transfer broke at byte %d of %d: %v", b.at, b.of, b.err)
}

func (b *brokenBody) Unwrap() error { return b.err }

// writerError is a failure of the caller's writer, which no repetition heals.
type writerError struct{ err error }

func (w *writerError) Error() string { return "write what arrived: " + w.err.Error() }

func (w *writerError) Unwrap() error { return w.err }

// stallGuard cancels a request if its body brings nothing for a while. TCP alone would wait for hours.
type stallGuard struct {
	body    io.Reader
	timeout time.Duration
	cancel  func()
	stalled atomic.Bool
}

func newStallGuard(body io.Reader, timeout time.Duration, cancel func()) *stallGuard {
	return &stallGuard{body: body, timeout: timeout, cancel: cancel}
}

// Read arms the timer only while it waits for the network: a slow writer on our side is no stall.
func (g *stallGuard) Read(p []byte) (int, error) {
	timer := time.AfterFunc(g.timeout, func() {
		g.stalled.Store(true)
		g.cancel()
	})
	n, err := g.body.Read(p)
	timer.Stop()
	if err != nil && g.stalled.Load() {
		err = fmt.Errorf("nothing arrived for %v", g.timeout)
	}
	return n, err
}
