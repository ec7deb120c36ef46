package breaker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// What is not an outage opens nothing, and neither do outages with a success between.
func TestWhatOpensTheBreaker(t *testing.T) {
	outage := &userdb.Error{Kind: userdb.Unreachable, Err: errors.New("HTTP 502")}
	threw := &userdb.Error{Kind: userdb.Unreachable, Err: &wire.RemoteError{Kind: wire.KindApplicationThrew}}
	other := &userdb.Error{Kind: userdb.Blocked, Err: errors.New("no")}
	for _, c := range []struct {
		failures []error
		open     bool
	}{
		{[]error{outage, outage, outage}, true},
		{[]error{outage, outage}, false},
		{[]error{outage, outage, nil, outage}, false},
		{[]error{outage, outage, other, outage}, false},
		{slices.Repeat([]error{threw}, 9), false},
		{slices.Repeat([]error{other}, 9), false},
	} {
		b := &Breaker{Probes: []Probe{{}}}
		for _, err := range c.failures {
			b.Saw(result.Result{Failure: err})
		}
		if b.isOpen() != c.open {
			t.Errorf("%v: open %v", c.failures, b.isOpen())
		}
	}
}

// opened is a breaker that has seen enough outages of a service; ask is how it answers now.
func opened(giveUp time.Duration, ask func(context.Context) error) (b *Breaker, said *[]string) {
	said = new([]string)
	b = &Breaker{
		Probes: []Probe{{Service: userdb.ServiceWorker, Ask: ask}},
		GiveUp: giveUp,
		Warn:   func(format string, args ...any) { *said = append(*said, fmt.Sprintf(format, args...)) },
	}
	for range MostInARow {
		b.Saw(result.Result{Failure: &userdb.Error{Kind: userdb.Unreachable, Err: errors.New("HTTP 502")}})
	}
	return b, said
}

// Who has waited for a service in vain does not wait for it again, until it answers.
func TestItWaitsInVainOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := errors.New("HTTP 502")
		b, _ := opened(time.Minute, func(context.Context) error {
			if answer == nil {
				return nil
			}
			return &userdb.Error{Kind: userdb.Unreachable, Err: answer}
		})
		for n, most := range []time.Duration{time.Minute, 0} {
			begun := time.Now()
			if err := b.Ready(t.Context()); err == nil || time.Since(begun) > most {
				t.Errorf("time %d: %v after %s", n, err, time.Since(begun))
			}
		}
		answer = nil
		if err := b.Ready(t.Context()); err != nil || b.isOpen() || b.gaveUp {
			t.Errorf("it answers: %v", err)
		}
	})
}

// hangs takes a request and says nothing. When the time is over, it fails as the clients do.
func hangs(ctx context.Context) error {
	<-ctx.Done()
	return &userdb.Error{Op: "greet", Kind: userdb.Interrupted, Err: ctx.Err()}
}

func refuses(context.Context) error {
	return &userdb.Error{Op: "greet", Kind: userdb.Unreachable, Err: errors.New("HTTP 502")}
}

// GiveUp is kept by the clock, whether a try takes no time or all that it may.
func TestItGivesUpByTheClock(t *testing.T) {
	for name, ask := range map[string]func(context.Context) error{"refuses": refuses, "hangs": hangs} {
		for _, giveUp := range []time.Duration{
			time.Second, 10 * time.Second, 11 * time.Second, DefaultGiveUp, time.Hour,
		} {
			synctest.Test(t, func(t *testing.T) {
				b, _ := opened(giveUp, ask)
				begun := time.Now()
				err := b.Ready(t.Context())
				if took := time.Since(begun); err == nil || took > giveUp || took < giveUp-lastPatience {
					t.Errorf("%s, after %v of %v: %v", name, took, giveUp, err)
				}
			})
		}
	}
}

// A service that only hangs is waited for like one that refuses: the end of a try's time is no other failure.
func TestASilentServiceIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		back := time.Now().Add(5 * time.Minute)
		b, said := opened(DefaultGiveUp, func(ctx context.Context) error {
			if time.Now().Before(back) {
				return hangs(ctx)
			}
			return nil
		})
		if err := b.Ready(t.Context()); err != nil || time.Now().Before(back) {
			t.Fatalf("%v, after it said %q", err, *said)
		}
		if text := strings.Join(*said, "\n"); !strings.Contains(text, "ask the Worker: no answer within 10.0s") ||
			!strings.Contains(text, "going on") {
			t.Error(text)
		}
	})
}

// The number of tries that is shown is the number there is.
func TestTriesAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		b, said := opened(DefaultGiveUp, func(ctx context.Context) error {
			asked++
			return refuses(ctx)
		})
		if b.Ready(t.Context()) == nil || asked != 16 {
			t.Errorf("%d tries", asked)
		}
		for i, text := range *said {
			if want := fmt.Sprintf("(try %d of 16)", i+1); !strings.Contains(text, want) {
				t.Errorf("%q lacks %q", text, want)
			}
		}
	})
}
