package terminal

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// spokenAt remembers when something was written, in the time of the test's bubble.
type spokenAt struct {
	mu    sync.Mutex
	at    []time.Time
	lines strings.Builder
}

func (s *spokenAt) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.at = append(s.at, time.Now())
	return s.lines.Write(p)
}

// longest is the longest silence from begin until now.
func (s *spokenAt) longest(begin time.Time) (longest time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	last := begin
	for _, at := range append(s.at, time.Now()) {
		longest, last = max(longest, at.Sub(last)), at
	}
	return longest
}

// TestNoSilenceIsLongerThanItMayBe: in virtual time, a log hears something at least every 5 seconds and a
// terminal within a second: of a command that works, of one that waits, and of a run. A run that works tells
// how far it is; one that waits tells for what.
func TestNoSilenceIsLongerThanItMayBe(t *testing.T) {
	for name, c := range map[string]struct {
		terminal, run bool
		waits, says   string
		most          time.Duration
	}{
		"a command works":              {false, false, "", "still at work\n", 5 * time.Second},
		"a command waits":              {false, false, "R2", "waiting for R2\n", 5 * time.Second},
		"a run works":                  {false, true, "", "migrate: 0/1 users", 5 * time.Second},
		"a run waits":                  {false, true, "R2", "waiting for R2\n", 5 * time.Second},
		"a run waits, and its figures": {false, true, "R2", "migrate: 0/1 users", 5 * time.Second},
		"a terminal":                   {true, false, "R2", "waiting for R2", time.Second},
		"a terminal with a run":        {true, true, "", "migrate", time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var stdout, stderr spokenAt
				o, begin := New(Options{Out: &stdout, Err: &stderr, ErrTerminal: c.terminal}), time.Now()
				stop := o.Break(DefaultSilence, func() string { return c.waits })
				if c.run {
					defer o.Follow("migrate", []Planned{{"alice", 1000}}, nil).Close()
				}
				for range 100 {
					time.Sleep(time.Second)
					if c.run { // users who are done stand in stdout, which may be a file
						_ = o.write(o.Out, []byte("a row\n"))
					}
				}
				silence := stderr.longest(begin)
				stop()
				if silence > c.most && !c.terminal || !strings.Contains(stderr.lines.String(), c.says) {
					t.Errorf("it was silent for %v:\n%s", silence, &stderr.lines)
				}
				if c.terminal && (len(stderr.at) == 0 || stderr.at[0].Sub(begin) > c.most) {
					t.Errorf("a terminal shows nothing within %v", c.most)
				}
			})
		})
	}
}

// TestRestIsNoSilence: while a command waits on purpose, nothing is said of it.
func TestRestIsNoSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log spokenAt
		o := New(Options{Out: &log, Err: &log})
		defer o.Break(DefaultSilence, func() string { return "" })()
		back := o.Rest()
		time.Sleep(time.Hour)
		if len(log.at) > 0 {
			t.Errorf("it said while it rested:\n%.200s", &log.lines)
		}
		back()
		time.Sleep(time.Minute)
		if len(log.at) == 0 {
			t.Error("it is silent for good")
		}
	})
}
