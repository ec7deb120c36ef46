package terminal

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// lockedBuffer is read by the test while a Progress writes.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *lockedBuffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.b.Reset()
	return b.b.String()
}

// clock is a Progress's time and ticker in the hands of a test.
type clock struct {
	now  time.Time
	tick chan time.Time
}

// advance lets time pass and returns when the tick is taken; the second one, that it was shown.
func (c *clock) advance(p *Progress, d time.Duration) {
	p.mu.Lock()
	c.now = c.now.Add(d)
	p.mu.Unlock()
	c.tick <- c.now
}

func following(
	t *testing.T,
	terminal bool,
	planned map[string]int64,
) (*Progress, *clock, *lockedBuffer, *Output) {
	t.Helper()
	return followingLive(t, terminal, planned, nil)
}

func followingLive(
	t *testing.T,
	terminal bool,
	planned map[string]int64,
	live func() Live,
) (*Progress, *clock, *lockedBuffer, *Output) {
	t.Helper()
	var out lockedBuffer
	o := New(Options{Out: &out, Err: &out, ErrTerminal: terminal})
	c := &clock{now: time.Unix(0, 0), tick: make(chan time.Time)}
	var order []Planned
	for _, user := range slices.Sorted(maps.Keys(planned)) {
		order = append(order, Planned{user, planned[user]})
	}
	return o.follow("migrate", order, live, func() time.Time { return c.now }, c.tick), c, &out, o
}

func TestProgressInALog(t *testing.T) {
	p, c, out, _ := following(t, false, map[string]int64{"a": 1_000_000, "b": 3_000_000, "c": 6_000_000})
	p.Moved("a", 1_000_000)
	p.Finish("a", true)
	p.Moved("b", 500_000)
	c.advance(p, 30*time.Second)
	p.Close()
	if got, want := out.take(), "migrate: 1/3 users, 1.50 MB of 10.0 MB, 50.0 KB/s, ETA 2m50s\n"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// A log has no cursor: no carriage return, no escape sequence, no line without news.
func TestNoBarInALog(t *testing.T) {
	p, c, out, o := following(t, false, map[string]int64{"a": 10})
	o.Say("hello")
	c.advance(p, 30*time.Second)
	p.Moved("a", 5)
	p.Finish("a", false)
	c.advance(p, 30*time.Second)
	p.Close()
	got := out.take()
	if strings.ContainsAny(got, "\r\x1b") {
		t.Errorf("a log is drawn on: %q", got)
	}
	if want := "hello\nmigrate: 0/1 users, 0 B of 10 B, 0 B/s\nmigrate: 0/1 users, 0 B of 10 B, 0 B/s, 1 failed (10 B)\n"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// Two lines, always in the same place: the bar with bytes, rate and ETA, and who is where.
func TestProgressOnATerminal(t *testing.T) {
	live := Live{InFlight: 8, Waiting: []string{"KV API throttles (23s)"}}
	p, c, out, o := followingLive(
		t,
		true,
		map[string]int64{"a": 1_000_000, "b": 3_000_000},
		func() Live { return live },
	)
	p.Moved("a", 1_000_000)
	p.Finish("a", false)
	c.advance(p, 10*time.Second)
	c.advance(p, 0)
	o.Say("a failed")
	p.Close()
	got := out.take()
	block := "migrate   0% [................] 0 B of 4.00 MB, 0 B/s, ETA 30s\n" +
		"0/2 users, 8 in flight, 1 failed (1.00 MB), waiting: KV API throttles (23s)"
	if !strings.Contains(got, block) {
		t.Errorf("the block lacks something: %q", got)
	}
	if !strings.Contains(got, "\r\x1b[1A\x1b[Ja failed\n"+block) {
		t.Errorf("the line is not on a line of its own, or the block does not come back: %q", got)
	}
	if !strings.HasSuffix(got, block+"\r\x1b[1A\x1b[J") {
		t.Errorf("the block is left behind: %q", got)
	}
}

func TestProgressWithoutSizes(t *testing.T) {
	p, c, out, _ := following(t, false, map[string]int64{"a": 0, "b": 0, "c": 0})
	p.Finish("a", true)
	c.advance(p, 10*time.Second)
	p.Close()
	if got, want := out.take(), "migrate: 1/3 users, ETA 20s\n"; got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// A copy that starts over, or a user who needs none, leaves the sum right.
func TestProgressCountsEachByteOnce(t *testing.T) {
	p, _, _, _ := following(t, false, map[string]int64{"again": 100, "already": 50})
	p.Moved("again", 80)
	p.Moved("again", 80)
	p.Moved("unknown", 1000)
	p.Finish("again", true)
	p.Finish("already", true)
	p.Close()
	if p.doneBytes != 150 || len(p.open) > 0 || p.totalBytes != 150 || p.done != 2 {
		t.Errorf("done %d of %d bytes, %d users", p.doneBytes, p.totalBytes, p.done)
	}
}
