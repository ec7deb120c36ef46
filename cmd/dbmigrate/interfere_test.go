package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
)

// killedAt runs dbmigrate and kills it when it sends a certain request for the first time, which then never
// arrives: "killed-at 'admin activate' dbmigrate migrate alice". Requests are named as
// internal/testkit/faultproxy names them.
func killedAt(ts *testscript.TestScript, s *stack.Stack, args []string) { killedAfter(ts, s, 0, args) }

// killedLate is killedAt, but the request is held up for a while before: long enough for the run's record to
// be copied into the bucket.
func killedLate(ts *testscript.TestScript, s *stack.Stack, args []string) {
	killedAfter(ts, s, 10*time.Second, args)
}

func killedAfter(ts *testscript.TestScript, s *stack.Stack, hold time.Duration, args []string) {
	ctx, kill := context.WithCancel(context.Background())
	defer kill()
	lost := faultproxy.Fault{Swallow: true, Cut: true}
	out, err := interfered(ctx, ts, s, args, func(reached bool) faultproxy.Fault {
		if reached {
			first := lost
			first.Before = func() { time.Sleep(hold); kill() }
			return first
		}
		return lost // and so is whatever it sends in its last moment
	})
	if ctx.Err() == nil {
		ts.Fatalf("%s was never sent: %v\n%s", args[0], err, out)
	}
}

// supersededAt runs dbmigrate, and when it sends a certain request for the first time, somebody else's
// rollback of the user comes first: "superseded-at 'admin ready' alice dbmigrate migrate alice".
func supersededAt(ts *testscript.TestScript, s *stack.Stack, args []string) {
	if len(args) < 4 {
		ts.Fatalf("usage: superseded-at request user program [args...]")
	}
	other := func() {
		cmd := exec.Command("dbmigrate", "rollback", args[1])
		cmd.Env = append(os.Environ(), s.Env()...)
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(ts.Stderr(), "rollback: %v\n%s", err, out)
		}
	}
	ranBefore(ts, s, other, append(args[:1:1], args[2:]...))
}

// askedAt runs dbmigrate, and before it sends a certain request for the first time, the application asks for
// rows of the user to be thawed: "asked-at 'admin claim' alice table expression dbmigrate thaw alice
// --requested".
func askedAt(ts *testscript.TestScript, s *stack.Stack, args []string) {
	if len(args) < 6 {
		ts.Fatalf("usage: asked-at request user table expression program [args...]")
	}
	ranBefore(ts, s, func() { thaw(ts, s, args[1:4]) }, append(args[:1:1], args[4:]...))
}

// ranBefore runs a program and prints its output; before the first request of a name, args[0], something else
// happens.
func ranBefore(ts *testscript.TestScript, s *stack.Stack, other func(), args []string) {
	out, _ := interfered(context.Background(), ts, s, args, func(reached bool) (f faultproxy.Fault) {
		if reached {
			f.Before = other
		}
		return f
	})
	fmt.Fprint(ts.Stdout(), out)
}

// interfered runs a program that reaches the local runtime through a proxy. args are the name of a request,
// the program, its arguments. From the first request of that name on, fault says what happens to each;
// reached is true for the first.
func interfered(
	ctx context.Context,
	ts *testscript.TestScript,
	s *stack.Stack,
	args []string,
	fault func(reached bool) faultproxy.Fault,
) (string, error) {
	if len(args) < 2 {
		ts.Fatalf("usage: request program [args...]")
	}
	proxy, err := faultproxy.New(s.URL)
	ts.Check(err)
	defer proxy.Close()
	proxy.LeaveAlone(record.Prefix, record.ActPrefix, faultproxy.AskedAgain)
	there := false
	proxy.Reset(faultproxy.SingleRequests(func(r faultproxy.Request) faultproxy.Fault {
		reached := !there && r.Name() == args[0]
		if there = there || reached; !there {
			return faultproxy.Fault{}
		}
		return fault(reached)
	}))
	cmd := exec.CommandContext(ctx, args[1], args[2:]...)
	cmd.Dir, cmd.Env = ts.Getenv("WORK"), append(os.Environ(), "XDG_STATE_HOME="+ts.Getenv("XDG_STATE_HOME"))
	for _, entry := range s.Env() {
		cmd.Env = append(cmd.Env, strings.ReplaceAll(entry, s.URL, proxy.URL()))
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}
