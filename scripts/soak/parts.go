package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/harness"
	"github.com/dbmigrate/dbmigrate/internal/stack"
	"github.com/dbmigrate/dbmigrate/test/faults"
	"github.com/dbmigrate/dbmigrate/test/race"
)

func runRace(ctx context.Context, o options) (account string, err error) {
	if o.race.Cycles == 0 && o.race.Writes == 0 {
		return "", nil
	}
	var stacks []*stack.Stack
	defer func() {
		for _, s := range stacks {
			err = errors.Join(err, s.Stop())
		}
	}()
	for range o.stacks {
		s, err := stack.Start(ctx, stack.Options{ConfigPath: race.WorkerConfig})
		if err != nil {
			return "", err
		}
		stacks = append(stacks, s)
	}
	report, err := race.Run(ctx, stacks, o.race)
	if err != nil && report.Took == 0 {
		return "", err
	}
	if err == nil && (report.Cycles < o.race.Cycles || report.Acknowledged < o.race.Writes) {
		err = errShort
	}
	return raceHead(o, err) + report.Markdown(), err
}

// raceHead says what raced on what, and whether it raced for as long as it was meant to.
func raceHead(o options, err error) string {
	head := fmt.Sprintf("%d local runtimes, %d users of each at a time, %d clients of each user, %d operators of each runtime; %d processors%s.\n\n",
		o.stacks, o.race.Users, o.race.Clients, o.race.Operators, runtime.NumCPU(), load())
	if errors.Is(err, errShort) {
		head += fmt.Sprintf("**Cut short**: the time (`-limit %s`) was over before %d cycles and %d acknowledged writes.\n\n", o.race.Limit, o.race.Cycles, o.race.Writes)
	}
	return head
}

// load is how busy the machine was towards the end: with others at work on it, every duration of the account is theirs, too.
func load() string {
	content, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	return ", load average " + strings.Fields(string(content))[2]
}

func runNetwork(ctx context.Context, o options) (account string, err error) {
	if o.network == 0 {
		return "", nil
	}
	dir, err := os.MkdirTemp("", "dbmigrate-soak-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	binary, err := harness.Build(ctx, ".", dir)
	if err != nil {
		return "", err
	}
	s, err := stack.Start(ctx, stack.Options{})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	report, err := faults.Run(ctx, s, binary, faults.Config{Length: o.network, Operators: o.networkOperators, Log: os.Stderr})
	return report.Markdown(), err
}
