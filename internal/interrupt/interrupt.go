// Package interrupt turns signals into two steps.
package interrupt

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// Signals turns Ctrl-C (and SIGTERM, which CI systems send, and SIGHUP, which a lost terminal sends) into two
// steps: the first one ends stop, so that nothing new is begun; the second one leaves at once. Leaving at
// once is safe: every command converges from wherever another one was cut off.
type Signals struct {
	Stop context.Context // ends with the first signal

	mu     sync.Mutex
	onStop func()          // says what is still going on
	onQuit func() []string // names what is left open
}

// Watch begins to listen. A second signal tells warn what is left open, and ends the program by leave.
func Watch(warn func(string, ...any), leave func()) *Signals {
	ctx, cancel := context.WithCancel(context.Background())
	s := &Signals{Stop: ctx}
	arrived := make(chan os.Signal, 2)
	signal.Notify(arrived, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup ignores it
		signal.Notify(arrived, syscall.SIGHUP)
	}
	// A reader of stdout that goes away must not kill a command between fence and switch. Writes report it
	// instead.
	signal.Ignore(syscall.SIGPIPE)
	go func() {
		<-arrived
		cancel()
		s.stopping()
		<-arrived
		s.quit(warn, leave)
	}()
	return s
}

// During registers what a long command has to say to a signal; the returned function takes it back.
func (s *Signals) During(onStop func(), onQuit func() []string) (done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onStop, s.onQuit = onStop, onQuit
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.onStop, s.onQuit = nil, nil
	}
}

func (s *Signals) stopping() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.onStop != nil {
		s.onStop()
	}
}

func (s *Signals) quit(warn func(string, ...any), leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.onQuit != nil {
		for _, line := range s.onQuit() {
			warn("%s", line)
		}
	}
	leave()
}
