package faults

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
)

// longestWaits is how many of the longest waits are told.
const longestWaits = 5

// waits are the longest waits of writes, and what was under way meanwhile.
type waits struct {
	mu       sync.Mutex
	longest  []wait // the longest first
	commands []period
	requests []*period // the operators'
	standing []period  // in which this process did nothing, although it was due: nor did others
}

// pulse is how often the test looks whether its machine goes on, and paused how late that is noted.
const pulse, paused = 100 * time.Millisecond, time.Second

// beat goes on until done.
func (l *waits) beat(done <-chan struct{}) {
	for last := time.Now(); ; last = time.Now() {
		select {
		case <-done:
			return
		case <-time.After(pulse):
		}
		if now := time.Now(); now.Sub(last) > paused {
			l.mu.Lock()
			l.standing = append(l.standing, period{begun: last, ended: now})
			l.mu.Unlock()
		}
	}
}

// wait is one write, from its first request to its acknowledgement.
type wait struct {
	user     string
	n        int
	attempts []harness.Attempt
}

func (w wait) begun() time.Time    { return w.attempts[0].Begun }
func (w wait) ended() time.Time    { return w.attempts[len(w.attempts)-1].Ended }
func (w wait) took() time.Duration { return w.ended().Sub(w.begun()) }

// period is a command, or a request of one. What has no end never ended.
type period struct {
	name, path   string
	begun, ended time.Time
}

// within is the time that the period shares with the wait.
func (p period) within(w wait) time.Duration {
	from, to := p.begun, p.ended
	if from.Before(w.begun()) {
		from = w.begun()
	}
	if to.IsZero() || to.After(w.ended()) {
		to = w.ended()
	}
	return max(0, to.Sub(from))
}

func (p period) line(w wait) string {
	took := "no end"
	if !p.ended.IsZero() {
		took = inTenths(p.ended.Sub(p.begun))
	}
	return fmt.Sprintf("%+.1fs %s (%s)", p.begun.Sub(w.begun()).Seconds(), p.name, took)
}

func inTenths(d time.Duration) string { return fmt.Sprintf("%.1fs", d.Seconds()) }

func (l *waits) wrote(w wait) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.longest = append(l.longest, w)
	slices.SortStableFunc(l.longest, func(a, b wait) int { return cmp.Compare(b.took(), a.took()) })
	l.longest = l.longest[:min(len(l.longest), longestWaits)]
}

func (l *waits) ran(command string, begun time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.commands = append(l.commands, period{name: command, begun: begun, ended: time.Now()})
}

// watch notes each request of an operator.
func (l *waits) watch(r faultproxy.Request) faultproxy.Fault {
	p := &period{name: stepOf(r), path: r.Path}
	note := func(at *time.Time) func() {
		return func() {
			l.mu.Lock()
			defer l.mu.Unlock()
			*at = time.Now()
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p.begun = time.Now()
	l.requests = append(l.requests, p)
	return faultproxy.Fault{After: note(&p.ended)}
}

// stepOf tells an announcement from other objects.
func stepOf(r faultproxy.Request) string {
	if strings.Contains(r.Path, "/.dbmigrate/fencing/") {
		return map[string]string{"PUT": "announce", "DELETE": "withdraw"}[r.Method]
	}
	return r.Name()
}

// report says of each of the longest waits what it was made of.
func (l *waits) report() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var text strings.Builder
	for _, w := range l.longest {
		fmt.Fprintf(&text, "%s, write %d: waited %s, beside %s; this machine stood still for %s of it\n",
			w.user, w.n, inTenths(w.took()), l.commandsIn(w), inTenths(l.stoodStill(w)))
		for _, a := range w.attempts {
			fmt.Fprintf(&text, "    %+.1fs the client: HTTP %d in %s (%s)\n",
				a.Begun.Sub(w.begun()).Seconds(), a.Status, inTenths(a.Ended.Sub(a.Begun)), a.Trip)
		}
		l.tellRequests(&text, w)
	}
	return text.String()
}

func (l *waits) stoodStill(w wait) (sum time.Duration) {
	for _, p := range l.standing {
		sum += p.within(w)
	}
	return sum
}

func (l *waits) commandsIn(w wait) string {
	var names []string
	for _, c := range l.commands {
		if c.within(w) > 0 {
			names = append(names, c.line(w))
		}
	}
	return cmp.Or(strings.Join(names, ", "), "no command")
}

// tellRequests lists the requests for the user one by one, and how much of the wait each kind took.
func (l *waits) tellRequests(text *strings.Builder, w wait) {
	var lines, kinds []string
	sums := map[string]time.Duration{}
	for _, r := range l.requests {
		if !strings.Contains(r.path, "/"+w.user+"/") || r.within(w) == 0 {
			continue
		}
		lines = append(lines, r.line(w))
		if sums[r.name] == 0 {
			kinds = append(kinds, r.name)
		}
		sums[r.name] += r.within(w)
	}
	if lines == nil {
		return
	}
	for i, kind := range kinds {
		kinds[i] = kind + " " + inTenths(sums[kind])
	}
	fmt.Fprintf(text, "    the command: %s\n    in all: %s\n", strings.Join(lines, ", "), strings.Join(kinds, ", "))
}
