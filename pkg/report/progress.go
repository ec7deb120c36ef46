package report

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/units"
)

const (
	// blockEvery is how often a terminal's block is drawn: often enough to look steady.
	blockEvery = 200 * time.Millisecond
	// lineEvery is how often a log gets a line: seldom enough to be read.
	lineEvery = 30 * time.Second
)

// Live is what a run says of this moment.
type Live struct {
	InFlight int      // users who are worked on
	Waiting  []string // who waits, and why: "40 users for their flags", "R2 throttles (3s)"
}

// Progress follows a run over many users. Bytes are those of the users' files, so that the ETA does not
// depend on who comes first.
type Progress struct {
	out  *Output
	verb string
	now  func() time.Time
	live func() Live

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

// NewProgress begins to follow a run of verb over users and the sizes of their files. live, which may be nil,
// is asked at each drawing. End it with Close.
func (o *Output) NewProgress(verb string, planned map[string]int64, live func() Live) *Progress {
	every := lineEvery
	if o.ErrTerminal {
		every = blockEvery
	}
	ticker := time.NewTicker(every)
	p := o.follow(verb, planned, live, time.Now, ticker.C)
	go func() {
		<-p.stopped
		ticker.Stop()
	}()
	return p
}

func (o *Output) follow(
	verb string,
	planned map[string]int64,
	live func() Live,
	now func() time.Time,
	tick <-chan time.Time,
) *Progress {
	if live == nil {
		live = func() Live { return Live{} }
	}
	p := &Progress{
		out:     o,
		verb:    verb,
		now:     now,
		live:    live,
		began:   now(),
		planned: planned,
		moved:   map[string]int64{},
		stop:    make(chan struct{}),
		stopped: make(chan struct{}),
	}
	for _, size := range planned {
		p.totalBytes += size
	}
	if o.ErrTerminal {
		o.attachBlock(verb, p.size())
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

// Moved counts bytes of a user's file. A copy that starts over never counts for more than the file has.
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

// Close takes the block away. Call it before the last lines are written.
func (p *Progress) Close() {
	close(p.stop)
	<-p.stopped
	p.out.detachBlock()
}

func (p *Progress) show() {
	live := p.live()
	p.mu.Lock()
	done, users, amount, who := p.doneBytes, p.users(), p.amount(), p.who(live)
	if p.totalBytes == 0 {
		done = int64(p.done)
	}
	p.mu.Unlock()
	if p.out.ErrTerminal {
		p.out.draw(done, strings.Join(amount, ", "), strings.Join(slices.Concat(users, who), ", "))
		return
	}
	p.out.Say("%s: %s", p.verb, strings.Join(slices.Concat(users, amount, who), ", "))
}

// size is what the bar counts: bytes, or users where no sizes are known.
func (p *Progress) size() int64 {
	if p.totalBytes > 0 {
		return p.totalBytes
	}
	return int64(len(p.planned))
}

func (p *Progress) users() []string {
	return []string{fmt.Sprintf("%d/%d users", p.done, p.done+len(p.planned))}
}

// amount says how many bytes are done, how fast, and when the rest will be.
func (p *Progress) amount() []string {
	var parts []string
	elapsed := p.now().Sub(p.began)
	if p.totalBytes > 0 {
		rate := float64(p.doneBytes) / max(elapsed.Seconds(), 1e-3)
		parts = append(
			parts,
			units.FormatSize(p.doneBytes)+" of "+units.FormatSize(p.totalBytes),
			units.FormatSize(int64(rate))+"/s",
		)
	}
	if eta, known := p.eta(elapsed); known {
		parts = append(parts, "ETA "+eta.String())
	}
	return parts
}

// who says how many users are where, and who is waited for.
func (p *Progress) who(live Live) []string {
	var parts []string
	if live.InFlight > 0 {
		parts = append(parts, fmt.Sprintf("%d in flight", live.InFlight))
	}
	if p.failed > 0 {
		parts = append(parts, fmt.Sprintf("%d failed", p.failed))
	}
	if len(live.Waiting) > 0 {
		parts = append(parts, "waiting: "+strings.Join(live.Waiting, ", "))
	}
	return parts
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
