// Package breaker is the circuit breaker of a run: while a service does not answer, no more users are begun.
package breaker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

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
	// firstTry and lastTry are how long is waited before the first try and, doubled each time, at most.
	firstTry, lastTry = time.Second, time.Minute
	// probePatience bounds one try: the clients repeat requests for longer.
	probePatience = 10 * time.Second
	// DefaultGiveUp is how long a service is waited for.
	DefaultGiveUp = 10 * time.Minute
)

// Breaker begins no more users while a service does not answer: each of them would fail, after a minute of
// repeated requests.
type Breaker struct {
	Probes []Probe
	GiveUp time.Duration
	Warn   func(string, ...any)

	mu      sync.Mutex
	inARow  int
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
	tries := triesWithin(b.GiveUp)
	for try, wait := 1, firstTry; ; try, wait = try+1, min(2*wait, lastTry) {
		who, err := b.ask(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			b.close(try)
			return nil
		case userdb.KindOf(err) != userdb.Unreachable && userdb.KindOf(err) != userdb.Throttled:
			return err
		case try >= tries:
			return fmt.Errorf(
				"stopped: %s has not answered for %s (--give-up-after); run the same command again when it does: %w",
				called(who),
				units.FormatDuration(b.GiveUp),
				err,
			)
		}
		text := fmt.Sprintf("for %s (try %d of %d)", called(who), try, tries)
		b.waitFor(text)
		b.Warn("no more users are begun: waiting %s: %v", text, err)
		if err := pauseFor(ctx, wait); err != nil {
			return err
		}
	}
}

// ask asks each service; who is the first that does not answer.
func (b *Breaker) ask(ctx context.Context) (who userdb.Service, err error) {
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	for _, p := range b.Probes {
		if err := p.Ask(ctx); err != nil {
			return p.Service, err
		}
	}
	return "", nil
}

func (b *Breaker) close(try int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.inARow = 0
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

// triesWithin is how many tries there are in so much time, the first one at its beginning.
func triesWithin(giveUp time.Duration) int {
	tries, spent := 1, time.Duration(0)
	for wait := firstTry; spent+wait <= giveUp; wait = min(2*wait, lastTry) {
		spent += wait
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

func pauseFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
