package report

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/units"
)

const (
	// barEvery is how often a bar is drawn: often enough to look steady.
	barEvery = 200 * time.Millisecond
	// lineEvery is how often a log gets a line: seldom enough to be read.
	lineEvery = 30 * time.Second
)

// Progress follows a run over many users. Bytes are those of the users' files, so that the ETA does not depend on who comes first.
type Progress struct {
	out  *Output
	verb string
	now  func() time.Time
	bar  *bar // nil in a log

	mu         sync.Mutex
	began      time.Time
	planned    map[string]int64
	moved      map[string]int64
	totalBytes int64
	doneBytes  int64
	done       int
	failed     int

	stop, stopped chan struct{}
}

// NewProgress begins to follow a run of verb over users and the sizes of their files. End it with Close.
func (o *Output) NewProgress(verb string, planned map[string]int64) *Progress {
	every := lineEvery
	if o.ErrTerminal {
		every = barEvery
	}
	ticker := time.NewTicker(every)
	p := o.follow(verb, planned, time.Now, ticker.C)
	go func() {
		<-p.stopped
		ticker.Stop()
	}()
	return p
}

func (o *Output) follow(verb string, planned map[string]int64, now func() time.Time, tick <-chan time.Time) *Progress {
	p := &Progress{out: o, verb: verb, now: now, began: now(), planned: planned, moved: map[string]int64{},
		stop: make(chan struct{}), stopped: make(chan struct{})}
	for _, size := range planned {
		p.totalBytes += size
	}
	if o.ErrTerminal {
		p.bar = o.attachBar(verb, p.totalBytes, len(planned))
	}
	go p.run(tick)
	return p
}

func (p *Progress) run(tick <-chan time.Time) {
	defer close(p.stopped)
	for {
		select {
		case <-p.stop:
			return
		case <-tick:
			p.show()
		}
	}
}

// Moved counts bytes of a user's file. A user whose copy starts anew never counts for more than the file has.
func (p *Progress) Moved(user string, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	bytes = min(bytes, p.planned[user]-p.moved[user])
	if bytes > 0 {
		p.moved[user] += bytes
		p.doneBytes += bytes
	}
}

// Finish counts a user as done or failed; what was not moved of the file need not be moved any more.
func (p *Progress) Finish(user string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.doneBytes += p.planned[user] - p.moved[user]
	delete(p.moved, user)
	delete(p.planned, user)
	p.done++
	if !ok {
		p.failed++
	}
}

// Close takes the bar away. Call it before the last lines are written.
func (p *Progress) Close() {
	close(p.stop)
	<-p.stopped
	p.out.detachBar()
}

func (p *Progress) show() {
	p.mu.Lock()
	done, text := p.doneBytes, p.line()
	if p.totalBytes == 0 {
		done = int64(p.done)
	}
	p.mu.Unlock()
	if p.bar == nil {
		p.out.Say("%s: %s", p.verb, text)
		return
	}
	p.out.draw(done, text)
}

// line says how far the run is: users, bytes and rate (a bar shows these itself), and when it will be over.
func (p *Progress) line() string {
	total := p.done + len(p.planned)
	parts := []string{fmt.Sprintf("%d/%d users", p.done, total)}
	if p.failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", p.failed))
	}
	elapsed := p.now().Sub(p.began)
	rate := float64(p.doneBytes) / max(elapsed.Seconds(), 1e-3)
	if p.bar == nil && p.totalBytes > 0 {
		parts = append(parts, units.FormatSize(p.doneBytes)+" of "+units.FormatSize(p.totalBytes), units.FormatSize(int64(rate))+"/s")
	}
	if eta, known := p.eta(elapsed); known {
		parts = append(parts, "ETA "+eta.String())
	}
	return strings.Join(parts, ", ")
}

// eta goes by bytes where sizes are known, by users otherwise.
func (p *Progress) eta(elapsed time.Duration) (time.Duration, bool) {
	done, total := float64(p.doneBytes), float64(p.totalBytes)
	if p.totalBytes == 0 {
		done, total = float64(p.done), float64(p.done+len(p.planned))
	}
	if done == 0 || done >= total {
		return 0, false
	}
	return max(time.Duration(float64(elapsed)*(total-done)/done).Round(time.Second), time.Second), true
}
