package main

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/dbmigrate/dbmigrate/pkg/report"
)

// signals turns Ctrl-C (and SIGTERM, which CI systems send, and SIGHUP, which a lost terminal sends) into two
// steps: the first one ends stop, so that nothing new is begun; the second one leaves at once. Leaving at
// once is safe: every command converges from wherever another one was cut off.
type signals struct {
	stop context.Context

	mu     sync.Mutex
	onStop func()          // says what is still going on
	onQuit func() []string // names what is left open
}

func watchSignals(out *report.Output, leave func()) *signals {
	ctx, cancel := context.WithCancel(context.Background())
	s := &signals{stop: ctx}
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
		s.quit(out, leave)
	}()
	return s
}

// During registers what a long command has to say to a signal; the returned function takes it back.
func (s *signals) During(onStop func(), onQuit func() []string) (done func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onStop, s.onQuit = onStop, onQuit
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.onStop, s.onQuit = nil, nil
	}
}

func (s *signals) stopping() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.onStop != nil {
		s.onStop()
	}
}

func (s *signals) quit(out *report.Output, leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.onQuit != nil {
		for _, line := range s.onQuit() {
			out.Warn("%s", line)
		}
	}
	leave()
	os.Exit(exitInterrupted)
}
