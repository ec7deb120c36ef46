// Command soak proves the live move for long, on local runtimes, and prints the account as Markdown. Four
// parts run side by side: clients race against operators (test/race), once over users who are moved as a
// whole and once over users who are split, operators work while R2, KV or the Worker are in trouble
// (test/faults), and users go there and back beside an old path that saves without conditions (test/oldpath):
//
//	go run ./scripts/soak -cycles 1000 -writes 100000 -limit 1h -network 1h
//
// A race ends when both of its numbers are reached or its time is over, the network part after its time. It
// exits with 1 when a write was lost, came twice or was read wrongly, when a command left no clear account,
// or when the race's time was over first; with 130 after Ctrl-C, with the account until then.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/docpage"
	"github.com/dbmigrate/dbmigrate/test/race"
)

// options are the command line.
type options struct {
	race             race.Config
	stacks, split    int
	splitShare       float64
	network, oldPath time.Duration
	networkOperators int
	doc              string
}

func main() {
	o := options{race: race.Config{Referee: "scripts/dbdigest.py", Log: os.Stderr}}
	o.addSizes()
	o.addTrouble()
	o.addParts()
	flag.Parse()
	if o.split < 0 || o.split > o.stacks || o.stacks < 1 {
		fmt.Fprintf(os.Stderr, "soak: -split is %d, and there are -stacks %d\n", o.split, o.stacks)
		os.Exit(2)
	}
	os.Exit(exitCode(soak(o)))
}

// addSizes are the flags of how much a race does.
func (o *options) addSizes() {
	flag.Int64Var(
		&o.race.Cycles,
		"cycles",
		1000,
		"cutovers there and back, over all users; 0 with -writes 0: no race",
	)
	flag.Int64Var(&o.race.Writes, "writes", 100_000, "acknowledged writes")
	flag.DurationVar(&o.race.Limit, "limit", 90*time.Minute, "the race's longest time")
	flag.IntVar(&o.stacks, "stacks", 2, "local runtimes that race side by side; each takes a processor")
	flag.IntVar(&o.split, "split", 1, "how many of them race over users who are split")
	flag.Float64Var(
		&o.splitShare,
		"split-share",
		0.1,
		"the share of -cycles and -writes of users who are split: theirs are slower",
	)
	flag.IntVar(&o.race.Users, "users", 8, "users of each stack who are moved at a time")
	flag.IntVar(&o.race.Retire, "retire", 500, "entries with which a user makes room for a new one")
	flag.IntVar(&o.race.Clients, "clients", 3, "clients of each user")
	flag.IntVar(&o.race.Operators, "operators", 2, "operators of each stack at once")
	flag.DurationVar(
		&o.race.Rest,
		"rest",
		300*time.Millisecond,
		"longest pause of an operator between two commands",
	)
	flag.DurationVar(
		&o.race.FilePause,
		"file-pause",
		500*time.Millisecond,
		"longest pause of a client after a write to a file; R2 takes one a second",
	)
	flag.DurationVar(
		&o.race.Pause,
		"pause",
		100*time.Millisecond,
		"longest pause of a client after any other request",
	)
}

// addTrouble are the flags of what happens to a race.
func (o *options) addTrouble() {
	flag.DurationVar(
		&o.race.EvictEvery,
		"evict-every",
		2*time.Second,
		"how often a Durable Object is thrown out of memory; 0 is never",
	)
	flag.DurationVar(
		&o.race.RestartEvery,
		"restart-every",
		3*time.Minute,
		"how often a runtime is restarted, every other time after kill -9; 0 is never",
	)
	flag.DurationVar(
		&o.race.MeddleEvery,
		"meddle-every",
		3*time.Second,
		"how often somebody deletes a file or puts an older one back; with it objects are set back, too; 0 is never",
	)
	flag.Float64Var(
		&o.race.Deaths,
		"deaths",
		0.05,
		"share of epochs that end with a deletion; the user begins again under the same name",
	)
	flag.Float64Var(&o.race.Kills, "kills", 0.05, "share of commands that die at one of their requests")
}

// addParts are the flags of the other parts, and of the page.
func (o *options) addParts() {
	flag.DurationVar(
		&o.network,
		"network",
		15*time.Minute,
		"how long the network is in trouble; 0 is not at all",
	)
	flag.IntVar(&o.networkOperators, "network-operators", 2, "operators with a network in trouble, at once")
	flag.DurationVar(
		&o.oldPath,
		"old-path",
		20*time.Minute,
		"how long users go there and back beside unconditional writers; 0 is not at all",
	)
	flag.StringVar(
		&o.doc,
		"doc",
		"",
		"page in which a run that broke no promise rewrites the sections race, race-split, network and old-path; one that was cut short says so",
	)
}

// exitCode is 130 for an interruption, as of every command.
func exitCode(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errInterrupted):
		fmt.Fprintln(os.Stderr, "soak:", err)
		return 130
	}
	fmt.Fprintln(os.Stderr, "soak:", err)
	return 1
}

var (
	errInterrupted = errors.New("interrupted; nothing was lost until then")
	errShort       = errors.New(
		"the time was over before the race had its cycles and its acknowledged writes; nothing was lost until then",
	)
)

// parts run side by side; each has a section of the page.
var parts = []struct {
	name string
	run  func(context.Context, options) (account string, err error)
}{{"race", runRace}, {"race-split", runSplitRace}, {"network", runNetwork}, {"old-path", runOldPath}}

// soak runs all parts. A broken promise in one of them ends the others, too; each prints its account all the
// same.
func soak(o options) error {
	signalled, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithCancel(signalled)
	defer cancel()
	accounts, problems := make([]string, len(parts)), make([]error, len(parts))
	var all sync.WaitGroup
	for i, part := range parts {
		all.Go(func() {
			accounts[i], problems[i] = part.run(ctx, o)
			if problems[i] != nil && !errors.Is(problems[i], errShort) {
				cancel()
			}
		})
	}
	all.Wait()
	for i, account := range accounts {
		fmt.Printf("%s\n", account)
		if problems[i] == nil || errors.Is(problems[i], errShort) {
			problems[i] = errors.Join(problems[i], publish(o.doc, parts[i].name, account))
		}
	}
	return verdict(problems, signalled.Err() != nil)
}

// publish leaves the page as it is when there is none, or when the part was not run.
func publish(doc, section, account string) error {
	if doc == "" || account == "" {
		return nil
	}
	return docpage.Replace(doc, section, docpage.Stamp()+account)
}

// verdict leaves out that one part was ended, when it was by another one or by Ctrl-C.
func verdict(problems []error, interrupted bool) error {
	var real []error
	for _, problem := range problems {
		if problem != nil && !errors.Is(problem, context.Canceled) {
			real = append(real, problem)
		}
	}
	if len(real) == 0 && interrupted {
		return errInterrupted
	}
	return errors.Join(real...)
}
