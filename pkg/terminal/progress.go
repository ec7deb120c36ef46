package terminal

import (
	"cmp"
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
	// quietFor is how long a log of a run hears nothing: less than 5 seconds, and longer than a wait stays
	// untold (DefaultSilence), which tells more.
	quietFor = 4300 * time.Millisecond
	// lineEvery is how often a log gets the progress beside other lines.
	lineEvery = 30 * time.Second
	// dueEvery is how often it is asked whether a log needs a line.
	dueEvery = 500 * time.Millisecond
	// firstETA is how many users have to be done before anything is foretold.
	firstETA = 3
)

// Live is what a run says of this moment.
type Live struct {
	InFlight int      // users who are worked on
	Waiting  []string // who waits, and why: "40 for the KV flag batch", "R2 throttles (3s)"
}

// Planned is one user of a run: the size of the file, as far as the run has to move it.
type Planned struct {
	User  string
	Bytes int64
}

// Progress follows a run over many users. What is moved and done counts; users who failed stand apart.
type Progress struct {
	out  *Output
	verb string
	now  func() time.Time
	live func() Live

	mu         sync.Mutex
	began      time.Time
	order      []Planned // as they are begun
	next       int       // in order: nobody before is still to be begun
	open       map[string]int64
	begun      map[string]bool
	moved      map[string]int64
	totalBytes int64
	doneBytes  int64
	restBytes  int64 // of users who are not begun
	done       int
	failed     int
	failBytes  int64
	estimate   *estimate

	stop, stopped chan struct{}
}

// NewProgress begins to follow a run of verb over users that does not say who is begun. live, which may be
// nil, is asked at each drawing. End it with Close.
func (o *Output) NewProgress(verb string, planned map[string]int64, live func() Live) *Progress {
	order := make([]Planned, 0, len(planned))
	for user, size := range planned {
		order = append(order, Planned{user, size})
	}
	return o.Follow(verb, order, live)
}

// Follow is NewProgress for users in the order in which they are begun: with Begin, Worked and Finish the end
// of the run is foretold.
func (o *Output) Follow(verb string, planned []Planned, live func() Live) *Progress {
	if !o.ErrTerminal {
		ticks, end := o.silences()
		return o.follow(verb, planned, live, time.Now, ticks).endingWith(end)
	}
	ticker := time.NewTicker(blockEvery)
	return o.follow(verb, planned, live, time.Now, ticker.C).endingWith(ticker.Stop)
}

// endingWith calls end when the Progress has stopped.
func (p *Progress) endingWith(end func()) *Progress {
	go func() {
		<-p.stopped
		end()
	}()
	return p
}

// silences ticks when a log has heard nothing for a while, and once in a longer while beside other lines.
func (o *Output) silences() (ticks <-chan time.Time, end func()) {
	due, over := make(chan time.Time), make(chan struct{})
	go func() {
		ticker := time.NewTicker(dueEvery)
		defer ticker.Stop()
		for last := time.Now(); ; {
			select {
			case <-over:
				return
			case now := <-ticker.C:
				if quiet := now.Sub(last); quiet < lineEvery && min(quiet, o.quietSince(now)) < quietFor {
					continue
				}
				last = now
				select {
				case <-over:
					return
				case due <- now:
				}
			}
		}
	}()
	return due, func() { close(over) }
}

// quietSince is for how long nothing was said.
func (o *Output) quietSince(now time.Time) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	return now.Sub(o.spoke)
}

func (o *Output) follow(
	verb string,
	planned []Planned,
	live func() Live,
	now func() time.Time,
	tick <-chan time.Time,
) *Progress {
	if live == nil {
		live = func() Live { return Live{} }
	}
	p := &Progress{
		out:      o,
		verb:     verb,
		now:      now,
		live:     live,
		began:    now(),
		order:    planned,
		open:     make(map[string]int64, len(planned)),
		begun:    map[string]bool{},
		moved:    map[string]int64{},
		estimate: newEstimate(),
		stop:     make(chan struct{}),
		stopped:  make(chan struct{}),
	}
	for _, one := range planned {
		p.open[one.User] = one.Bytes
		p.totalBytes += one.Bytes
	}
	p.restBytes = p.totalBytes
	o.follows(true)
	if o.ErrTerminal && !o.Quiet {
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

func (p *Progress) seconds() float64 { return p.now().Sub(p.began).Seconds() }

// Begin says that a user is begun.
func (p *Progress) Begin(user string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if size, open := p.open[user]; open && !p.begun[user] {
		p.begun[user] = true
		p.restBytes -= size
		p.estimate.begin(user, size, p.seconds())
	}
}

// Moved counts bytes of a user's file. A copy that starts over never counts for more than the file has.
func (p *Progress) Moved(user string, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	bytes = min(bytes, p.open[user]-p.moved[user])
	if bytes > 0 {
		p.moved[user] += bytes
		p.doneBytes += bytes
		p.estimate.moved(user, bytes, p.seconds())
	}
}

// Worked says that the work on a user is done, although the user may still wait, such as for the flag.
func (p *Progress) Worked(user string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.estimate.worked(user, p.seconds())
}

// Aside says how long the run did something else than work on its users.
func (p *Progress) Aside(took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.estimate.aside += took.Seconds()
}

// Finish counts a user as done or failed. What was not moved of the file of one who is done need not be moved
// any more; what was moved of one who failed does not count.
func (p *Progress) Finish(user string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	size, open := p.open[user]
	if !open {
		return
	}
	if !p.begun[user] {
		p.restBytes -= size
	}
	p.estimate.finish(user, ok, p.done+p.failed, p.seconds())
	p.doneBytes -= p.moved[user]
	if ok {
		p.done++
		p.doneBytes += size
	} else {
		p.failed++
		p.failBytes += size
	}
	delete(p.moved, user)
	delete(p.begun, user)
	delete(p.open, user)
}

// Close takes the block away. Call it before the last lines are written.
func (p *Progress) Close() {
	close(p.stop)
	<-p.stopped
	p.out.detachBlock()
	p.out.follows(false)
}

func (o *Output) follows(run bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.following = run
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
	return int64(len(p.order))
}

func (p *Progress) users() []string {
	return []string{fmt.Sprintf("%d/%d users", p.done, len(p.order))}
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
		parts = append(parts, "ETA "+max(eta.Round(time.Second), time.Second).String())
	}
	return parts
}

// who says how many users are where, who failed, and who is waited for.
func (p *Progress) who(live Live) []string {
	var parts []string
	if live.InFlight > 0 {
		parts = append(parts, fmt.Sprintf("%d in flight", live.InFlight))
	}
	if p.failed > 0 {
		text := fmt.Sprintf("%d failed", p.failed)
		if p.failBytes > 0 {
			text += " (" + units.FormatSize(p.failBytes) + ")"
		}
		parts = append(parts, text)
	}
	if len(live.Waiting) > 0 {
		parts = append(parts, "waiting: "+strings.Join(live.Waiting, ", "))
	}
	return parts
}

// eta is how long the rest takes. A run that does not say who is begun is measured by what is done so far.
func (p *Progress) eta(elapsed time.Duration) (time.Duration, bool) {
	if len(p.open) == 0 {
		return 0, false
	}
	if p.estimate.n == 0 {
		return p.byAmount(elapsed)
	}
	if p.done+p.failed < min(firstETA, len(p.order)) {
		return 0, false
	}
	rest := len(p.open) - len(p.begun)
	return p.estimate.rest(p.seconds(), rest, p.restBytes, p.sizesOf(rest))
}

// byAmount goes by bytes where sizes are known, by users otherwise.
func (p *Progress) byAmount(elapsed time.Duration) (time.Duration, bool) {
	done, total := float64(p.doneBytes+p.failBytes), float64(p.totalBytes)
	if p.totalBytes == 0 {
		done, total = float64(p.done+p.failed), float64(len(p.order))
	}
	if done == 0 || done >= total {
		return 0, false
	}
	return time.Duration(float64(elapsed) * (total - done) / done), true
}

// sizesOf are the sizes of the users who are not begun, in their order; nil where they are many.
func (p *Progress) sizesOf(rest int) []int64 {
	waits := func(one Planned) bool {
		_, open := p.open[one.User]
		return open && !p.begun[one.User]
	}
	for p.next < len(p.order) && !waits(p.order[p.next]) {
		p.next++
	}
	if rest > mostPlayed {
		return nil
	}
	sizes := make([]int64, 0, rest)
	for _, one := range p.order[p.next:] {
		if waits(one) {
			sizes = append(sizes, one.Bytes)
		}
	}
	return sizes
}

// Mixed puts users, the largest of them first, into an order where each part has large and small ones, so
// that what a run has done foretells the rest. The largest still come early: one that begins last would keep
// the others waiting. Users of equal size keep their order.
func Mixed[T any](users []T, size func(T) int64) []T {
	const part = 64
	if len(users) <= part/8 || !slices.IsSortedFunc(users, func(a, b T) int { return cmp.Compare(size(b), size(a)) }) ||
		size(users[0]) == size(users[len(users)-1]) {
		return users
	}
	stride := max(2, (len(users)+part-1)/part)
	mixed := make([]T, 0, len(users))
	for first := range stride {
		for i := first; i < len(users); i += stride {
			mixed = append(mixed, users[i])
		}
	}
	return mixed
}
