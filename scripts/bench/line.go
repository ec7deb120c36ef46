package main

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// line is a network between an operator and the local runtime: a TCP proxy that delays both directions by
// half a round trip, and lets no more bits a second up than the uplink. A new connection costs a round trip
// more.
type line struct {
	roundTrip time.Duration
	uplink    int64 // bits a second; 0: any number

	listener net.Listener
	upstream string
	up, down atomic.Int64 // bytes

	mu   sync.Mutex
	free time.Time // when the uplink has sent what it was given
}

// newLine opens a line to the runtime's URL.
func newLine(url string, roundTrip time.Duration, uplink int64) (*line, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &line{
		roundTrip: roundTrip,
		uplink:    uplink,
		listener:  listener,
		upstream:  strings.TrimPrefix(url, "http://"),
	}
	go l.accept()
	return l, nil
}

func (l *line) url() string { return "http://" + l.listener.Addr().String() }

func (l *line) close() error { return l.listener.Close() }

func (l *line) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return // closed
		}
		go l.serve(near)
	}
}

func (l *line) serve(near net.Conn) {
	defer near.Close()
	far, err := net.Dial("tcp", l.upstream)
	if err != nil {
		return
	}
	defer far.Close()
	ctx, over := context.WithCancel(context.Background())
	defer over()
	begun := time.Now()
	var both sync.WaitGroup
	both.Go(func() {
		l.carry(ctx, far, near, func(n int) time.Time {
			l.up.Add(int64(n))
			return later(l.sent(n), begun.Add(l.roundTrip)).Add(l.roundTrip / 2)
		})
		closeWrite(far)
	})
	both.Go(func() {
		l.carry(ctx, near, far, func(n int) time.Time {
			l.down.Add(int64(n))
			return time.Now().Add(l.roundTrip / 2)
		})
		closeWrite(near)
	})
	both.Wait()
}

func closeWrite(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.CloseWrite() // the other side is gone then
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// sent is when the uplink, which all connections share, has sent so many bytes more.
func (l *line) sent(n int) time.Time {
	now := time.Now()
	if l.uplink == 0 {
		return now
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.free = later(l.free, now).Add(time.Duration(int64(n) * 8 * int64(time.Second) / l.uplink))
	return l.free
}

// parcel is what arrives at a time.
type parcel struct {
	at    time.Time
	bytes []byte
}

// carry takes bytes from one end to the other, each when it is due. due is asked in the order of the bytes.
func (l *line) carry(ctx context.Context, to io.Writer, from io.Reader, due func(n int) time.Time) {
	parcels := make(chan parcel, 256)
	go func() {
		defer close(parcels)
		for {
			buffer := make([]byte, 16<<10)
			n, err := from.Read(buffer)
			if n > 0 {
				select {
				case parcels <- parcel{due(n), buffer[:n]}:
				case <-ctx.Done():
					return
				}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range parcels {
		time.Sleep(time.Until(p.at))
		if _, err := to.Write(p.bytes); err != nil && !errors.Is(err, net.ErrClosed) {
			return
		}
	}
}
