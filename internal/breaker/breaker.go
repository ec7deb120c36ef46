// Package breaker is the circuit breaker of a run: while a service does not answer, no more users are begun.
package breaker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/backoff"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Probe asks a service for something small, to find out whether it answers.
type Probe struct {
	Service userdb.Service
	Ask     func(context.Context) error
}

const (
	// MostInARow is how many users in a row may fail because a service does not answer, before no more users
	// are begun: one may have met a passing trouble, which has outlasted all of the client's repetitions.
	MostInARow = 3
	// probePatience bounds one try: the clients repeat requests for longer.
	probePatience = 10 * time.Second
	// lastPatience is what the last try is left with.
	lastPatience = time.Second
	// DefaultGiveUp is how long a service is waited for.
	DefaultGiveUp = 10 * time.Minute
)

// growth is of the pauses between tries.
var growth = backoff.Growth{First: time.Second, Most: time.Minute}

// Breaker begins no more users while a service does not answer: each of them would fail, after a minute of
// repeated requests.
type Breaker struct {
	Probes []Probe
	GiveUp time.Duration
	Warn   func(string, ...any)

	mu      sync.Mutex
	inARow  int
	gaveUp  bool   // since then no service has been waited for
	waiting string // for what, and the number of the try; "": for nothing
}

// Saw counts how a user's work ended.
func (b *Breaker) Saw(one result.Result) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if isOutage(one.Err()) {
		b.inARow++
	} else {
		b.inARow = 0
	}
}

// isOutage leaves out application code that throws: the service answers.
func isOutage(err error) bool {
	var remote *wire.RemoteError
	threw := errors.As(err, &remote) && remote.Kind == wire.KindApplicationThrew
	return userdb.KindOf(err) == userdb.Unreachable && !threw
}

func (b *Breaker) isOpen() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.Probes) > 0 && b.inARow >= MostInARow
}

// Ready returns when users may be begun: at once, or when every service answers again. It returns an error
// when that took too long, when ctx ends, and when the answer is another failure, as a refused credential is.
func (b *Breaker) Ready(ctx context.Context) error {
	if !b.isOpen() {
		return nil
	}
	defer b.waitFor("")
	end := b.patientUntil()
	for try := 1; ; try++ {
		who, err := b.ask(ctx, end)
		left := time.Until(end) - lastPatience
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			b.close(try)
			return nil
		case userdb.KindOf(err) != userdb.Unreachable && userdb.KindOf(err) != userdb.Throttled:
			return err
		case left <= 0:
			b.giveUp()
			return fmt.Errorf(
				"stopped: %s has not answered for %s (--give-up-after); run the same command again when it does: %w",
				called(who),
				units.FormatDuration(b.GiveUp),
				err,
			)
		}
		text := fmt.Sprintf("for %s (try %d of %d)", called(who), try, try+triesWithin(left, try))
		b.waitFor(text)
		b.Warn("no more users are begun: waiting %s: %v", text, err)
		if err := backoff.Sleep(ctx, min(growth.After(try), left)); err != nil {
			return err
		}
	}
}

// patientUntil is when the breaker gives up. Who has waited for a service once does not wait for it again: a
// wave is looked at, and taken back, after that.
func (b *Breaker) patientUntil() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.gaveUp {
		return time.Now()
	}
	return time.Now().Add(b.GiveUp)
}

func (b *Breaker) giveUp() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.gaveUp = true
}

// ask asks each service, and waits for them until end, as good as; who is the first that does not answer.
func (b *Breaker) ask(ctx context.Context, end time.Time) (who userdb.Service, err error) {
	for _, p := range b.Probes {
		if err := p.askWithin(ctx, min(max(time.Until(end), lastPatience), probePatience)); err != nil {
			return p.Service, err
		}
	}
	return "", nil
}

func (p Probe) askWithin(ctx context.Context, patience time.Duration) error {
	asking, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := p.Ask(asking)
	if err != nil && asking.Err() != nil { // the clients say that they were interrupted
		return silent(p.Service, patience)
	}
	return err
}

// silent is the failure of a service that takes a request and does not answer.
func silent(who userdb.Service, patience time.Duration) error {
	return &userdb.Error{
		Op:    "ask",
		Thing: called(who),
		Kind:  userdb.Unreachable,
		Err:   fmt.Errorf("no answer within %s", units.FormatDuration(patience)),
	}
}

func (b *Breaker) close(try int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inARow, b.gaveUp = 0, false
	if try > 1 {
		b.Warn("every service answers again: going on")
	}
}

func (b *Breaker) waitFor(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = text
}

// Waits is what the progress shows.
func (b *Breaker) Waits() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.waiting
}

// triesWithin is how many more tries there are in so much time if none takes any: the last at its end.
func triesWithin(left time.Duration, failures int) (tries int) {
	for left > 0 {
		left -= growth.After(failures + tries)
		tries++
	}
	return tries
}

func called(who userdb.Service) string {
	if who == userdb.ServiceWorker {
		return "the Worker"
	}
	return string(who)
}
