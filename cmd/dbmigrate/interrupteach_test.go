package main

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
)

// interrupted is a command that is interrupted at each request that it makes, after what prepares its user.
var interrupted = []struct{ command, before string }{
	{"migrate", "rollback"},
	{"rollback", "migrate"},
	{"rollback --rehearse", "migrate"},
	{"verify", "migrate"},
}

// TestInterruptAtEveryRequest: the requests are those that the command makes, so a new one is interrupted.
// The first signal ends a command soon, with everybody served. The second one leaves at once. Either way the
// same command again ends what was begun.
func TestInterruptAtEveryRequest(t *testing.T) {
	o := newOperator(t, "each-a")
	type stop struct {
		at      int // in interrupted
		request string
		signals int
	}
	var stops []stop
	for i, c := range interrupted {
		o.mustDo(t, c.before)
		for _, request := range o.requests(t, c.command) {
			stops = append(stops, stop{i, request, 1}, stop{i, request, 2})
		}
	}
	for _, s := range effort.Some(t, "interrupts", stops, 3) {
		c := interrupted[s.at]
		t.Run(fmt.Sprintf("%s, %d at %s", c.command, s.signals, s.request), func(t *testing.T) {
			o.mustDo(t, c.before)
			text := o.interrupt(t, c.command, s.request, s.signals)
			if state := o.mustDo(t, "status"); s.signals == 1 && strings.Contains(state, `"servedBy":"none"`) {
				t.Errorf("writes wait after one signal: %s\n%s", state, text)
			}
			o.wantNoScratch(t)
			o.mustDo(t, c.command)
		})
	}
}

// run begins a command for the user.
func (o *operator) run(command string) (*watched, func() error, func(syscall.Signal)) {
	words := strings.Fields(command)
	cmd := o.command(slices.Concat(words[:1], []string{"each-a"}, words[1:], []string{"--output", "json"})...)
	output := newWatched()
	cmd.Stdout, cmd.Stderr = output, output
	err := cmd.Start()
	wait := func() error {
		if err != nil {
			return err
		}
		return cmd.Wait()
	}
	return output, wait, func(s syscall.Signal) { _ = cmd.Process.Signal(s) }
}

func (o *operator) mustDo(t *testing.T, command string) string {
	t.Helper()
	o.proxy.Reset(nil)
	output, wait, _ := o.run(command)
	if err := wait(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, output)
	}
	return output.String()
}

// requests are the names of those that the command makes, each once, in order.
func (o *operator) requests(t *testing.T, command string) (names []string) {
	t.Helper()
	var mu sync.Mutex
	o.proxy.Reset(func(r faultproxy.Request) faultproxy.Fault {
		mu.Lock()
		defer mu.Unlock()
		if !slices.Contains(names, r.Name()) {
			names = append(names, r.Name())
		}
		return faultproxy.Fault{}
	})
	output, wait, _ := o.run(command)
	if err := wait(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, output)
	}
	mu.Lock()
	defer mu.Unlock()
	return names
}

// interrupt sends the signals while the request is under way, and demands that the command ends.
func (o *operator) interrupt(t *testing.T, command, request string, signals int) string {
	t.Helper()
	var once sync.Once
	reached, signalled := make(chan struct{}), make(chan struct{})
	o.proxy.Reset(func(r faultproxy.Request) faultproxy.Fault {
		if r.Name() != request {
			return faultproxy.Fault{}
		}
		return faultproxy.Fault{Before: func() {
			once.Do(func() { close(reached) })
			<-signalled
		}}
	})
	output, wait, signal := o.run(command)
	ended := make(chan error, 1)
	go func() { ended <- wait() }()
	select {
	case <-reached:
		for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM}[:signals] { // two of a kind may arrive as one
			signal(s)
		}
	case <-ended:
		close(signalled)
		t.Fatalf("%s ended before %s\n%s", command, request, output)
	}
	if signals == 1 {
		close(signalled)
		<-ended
		return output.String()
	}
	<-ended // while the request still waits for its answer
	close(signalled)
	return output.String()
}
