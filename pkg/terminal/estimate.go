package terminal

import (
	"container/heap"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// estimate foretells how long a run still takes. It learns what a user costs: so much for anybody, and so
// much for each byte. How many users are worked on at once tells how fast that goes (Little's law), so that
// a run that has just begun to use the platform is no slow run. Times are seconds since the beginning.
type estimate struct {
	now float64

	// Sums over the users who were worked on, the latest count most: of weights, sizes, times and products.
	sums
	sizes, counted float64 // of all of them, for the typical size
	spread         float64 // how far users are off the line: the square of a logarithm

	atOnce   float64 // users who are worked on, on average of late
	inFlight map[string]*flight
	// flags is how long those of late waited at least once they were worked on, such as for their flags: the
	// last ones of a run wait for no company.
	flags   float64
	waiting map[string]worked

	failed, failedTook float64 // the share of users who fail, and what one takes

	aside, busy float64 // time spent on other things, such as verifying a wave, and on users
}

// sums are those of a line of least squares.
type sums struct{ n, size, took, sizeSize, sizeTook float64 }

func (s *sums) add(weight, size, took float64) {
	s.n += weight
	s.size += weight * size
	s.took += weight * took
	s.sizeSize += weight * size * size
	s.sizeTook += weight * size * took
}

// worked is a user who is done but for the account.
type worked struct{ at, took, size float64 }

type flight struct {
	began float64
	size  int64
	moved int64
	at    float64 // when the last of it was moved
}

func newEstimate() *estimate {
	return &estimate{inFlight: map[string]*flight{}, waiting: map[string]worked{}}
}

// memory is how many users count, at least; in a long run it is a third of all.
const memory = 64

// shareOfLate is the part of the time so far that counts as of late.
const shareOfLate = 0.25

// at lets time pass.
func (e *estimate) at(now float64) {
	passed := now - e.now
	if passed <= 0 {
		return
	}
	e.now = now
	if len(e.inFlight) == 0 {
		return
	}
	e.busy += passed
	late := max(e.busy*shareOfLate, 1e-9)
	e.atOnce += (float64(len(e.inFlight)) - e.atOnce) * (1 - math.Exp(-passed/late))
}

func (e *estimate) begin(user string, size int64, now float64) {
	e.at(now)
	e.inFlight[user] = &flight{began: now, size: size}
}

func (e *estimate) moved(user string, bytes int64, now float64) {
	if f := e.inFlight[user]; f != nil {
		f.moved, f.at = f.moved+bytes, now
	}
}

// worked ends the work on a user, who may still wait.
func (e *estimate) worked(user string, now float64) {
	e.at(now)
	if f := e.inFlight[user]; f != nil {
		delete(e.inFlight, user)
		e.waiting[user] = worked{now, now - f.began, float64(f.size)}
	}
}

// finish ends a user's account. What users cost who fail says nothing of the others.
func (e *estimate) finish(user string, ok bool, done int, now float64) {
	e.worked(user, now)
	w, worked := e.waiting[user]
	if !worked {
		return
	}
	delete(e.waiting, user)
	if waited := now - w.at; e.counted == 0 {
		e.flags = waited
	} else {
		e.flags = min(waited, e.flags+(waited-e.flags)/memory)
	}
	e.counted++
	late := 1 / min(e.counted, max(memory, float64(done)/3))
	if !ok {
		e.failed += (1 - e.failed) * late
		e.failedTook += (w.took - e.failedTook) / 8
		return
	}
	e.failed -= e.failed * late
	for _, sum := range []*float64{&e.n, &e.size, &e.took, &e.sizeSize, &e.sizeTook} {
		*sum *= 1 - late
	}
	e.sizes += w.size
	if perUser, perByte := e.line(); e.counted > memory/4 && w.took > 0 {
		off := math.Log(w.took / max(perUser+perByte*w.size, 1e-9))
		off = max(-1, min(off, 1))
		e.spread += (off*off - e.spread) * late
	}
	e.add(e.weight(w.size), w.size, w.took)
}

// weight is the less the larger a user is: what varies, varies with the size, so that one large user says no
// more of the others than a small one.
func (e *estimate) weight(size float64) float64 {
	if e.sizes == 0 {
		return 1
	}
	typical := e.sizes / e.counted
	return 1 / ((1 + size/typical) * (1 + size/typical))
}

// costs is what one user takes, and one byte. Users who are worked on count with what is moved: those who are
// done are the fast ones so far. Each counts no more than when it is done: a few that have moved little would
// outweigh the others.
func (e *estimate) costs() (user, bytes float64) {
	all := e.sums
	for _, f := range e.inFlight {
		if f.moved > 0 {
			all.add(e.weight(float64(f.size)), float64(f.moved), f.at-f.began)
		}
	}
	return all.line()
}

// line is the line of least squares, neither part of it below nothing.
func (s *sums) line() (user, bytes float64) {
	if s.n == 0 {
		return 0, 0
	}
	if spread := s.n*s.sizeSize - s.size*s.size; spread > 1e-9*s.n*s.sizeSize {
		bytes = (s.n*s.sizeTook - s.size*s.took) / spread
	}
	if user = (s.took - bytes*s.size) / s.n; user < 0 && s.size > 0 {
		return 0, s.took / s.size
	}
	if bytes < 0 {
		return s.took / s.n, 0
	}
	return user, bytes
}

// share is how much of the file is moved.
func (f *flight) share() float64 {
	if f.size == 0 {
		return 0
	}
	return min(1, float64(f.moved)/float64(f.size))
}

const (
	// mostPlayed is how many users are gone through one by one; of more, the end hardly depends on the order.
	mostPlayed = 50_000
	// mostPlays is how often a few users are gone through: the end is that of the slowest, which is chance.
	mostPlays = 25
)

// dice are by how much users are off the line. They are always the same ones, so that a forecast is steady.
type dice struct {
	*rand.Rand
	sigma, failed, failedTook float64
}

func (e *estimate) dice() *dice {
	return &dice{rand.New(rand.NewPCG(1, 2)), math.Sqrt(e.spread), e.failed, e.failedTook}
}

// roll is 1 on average.
func (d *dice) roll() float64 {
	if d.sigma == 0 {
		return 1
	}
	return math.Exp(d.sigma*d.NormFloat64() - d.sigma*d.sigma/2)
}

// rest is how long the users take that are worked on, and then those that are not begun. sizes are these
// users' in their order; nil where only their sum is known.
func (e *estimate) rest(now float64, users int, bytes int64, sizes []int64) (time.Duration, bool) {
	e.at(now)
	perUser, perByte := e.costs()
	if e.n == 0 || perUser == 0 && perByte == 0 {
		return 0, false
	}
	atOnce := max(1, int(math.Round(max(e.atOnce, float64(len(e.inFlight))))))
	seconds, games := 0.0, max(1, min(mostPlays, mostPlayed/max(users, 1)))
	dice, flying := e.dice(), slices.Sorted(maps.Keys(e.inFlight)) // in one order: a forecast is steady
	for range games {
		slots := make(ends, 0, atOnce)
		for _, user := range flying {
			f := e.inFlight[user]
			slots = append(slots, e.left(f, perUser+perByte*float64(f.size), dice))
		}
		for len(slots) < atOnce {
			slots = append(slots, 0)
		}
		seconds += slots.play(perUser, perByte, users, bytes, sizes, dice) / float64(games)
	}
	if len(e.inFlight)+len(e.waiting)+users > 0 {
		seconds += e.flags
	}
	if e.busy > 0 {
		seconds *= 1 + e.aside/e.busy
	}
	return time.Duration(seconds * float64(time.Second)), true
}

// left is how long a user still takes: by what others took at first, and by the user's own pace once a part
// of the file is moved. One who takes longer than others goes on for a part of the time so far.
func (e *estimate) left(f *flight, costs float64, dice *dice) float64 {
	const overtime, tries = 0.25, 8
	so := e.now - f.began
	left := overtime * so
	for range tries {
		if whole := costs * dice.roll(); whole > so {
			left = whole - so
			break
		}
	}
	share := f.share()
	if share == 0 {
		return left
	}
	own := max((f.at-f.began)/share-so, overtime*(e.now-f.at))
	trust := min(1, 2*share)
	return trust*own + (1-trust)*left
}

// user is what one user takes, who may fail.
func (d *dice) user(costs float64) float64 {
	if d.failed > 0 && d.Float64() < d.failed {
		return d.failedTook
	}
	return costs * d.roll()
}

// ends are when the users who are worked on end, as a heap.
type ends []float64

func (s ends) Len() int           { return len(s) }
func (s ends) Less(i, j int) bool { return s[i] < s[j] }
func (s ends) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s *ends) Push(x any)        { *s = append(*s, x.(float64)) }
func (s *ends) Pop() any {
	last := (*s)[len(*s)-1]
	*s = (*s)[:len(*s)-1]
	return last
}

// play gives each user who is not begun the place that is free first, and says when the last one ends.
func (s ends) play(
	perUser, perByte float64,
	users int,
	bytes int64,
	sizes []int64,
	dice *dice,
) (last float64) {
	if len(sizes) == users && users <= mostPlayed {
		heap.Init(&s)
		for _, size := range sizes {
			s[0] += dice.user(perUser + perByte*float64(size))
			heap.Fix(&s, 0)
		}
		for _, end := range s {
			last = max(last, end)
		}
		return last
	}
	sum, largest := (perUser*float64(users)+perByte*float64(bytes))*(1-dice.failed), 0.0
	sum += dice.failed * dice.failedTook * float64(users)
	for _, end := range s {
		sum += end
		largest = max(largest, end)
	}
	return max(sum/float64(len(s)), largest)
}
