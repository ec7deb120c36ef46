package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
	"github.com/dbmigrate/dbmigrate/test/faults"
	"github.com/dbmigrate/dbmigrate/test/oldpath"
	"github.com/dbmigrate/dbmigrate/test/race"
)

// runRace races over users who are moved as a whole.
func runRace(ctx context.Context, o options) (account string, err error) {
	return raceOn(ctx, o.race.Share(1-o.shareOfSplit()), o.stacks-o.split)
}

// runSplitRace races over users who are split.
func runSplitRace(ctx context.Context, o options) (account string, err error) {
	config := o.race.Share(o.shareOfSplit())
	config.Split = true
	return raceOn(ctx, config, o.split)
}

// shareOfSplit is what users who are split have to do of all.
func (o options) shareOfSplit() float64 {
	switch o.split {
	case 0:
		return 0
	case o.stacks:
		return 1
	}
	return o.splitShare
}

// raceOn races on so many local runtimes.
func raceOn(ctx context.Context, config race.Config, runtimes int) (account string, err error) {
	if config.Cycles == 0 && config.Writes == 0 {
		return "", nil
	}
	var stacks []*stack.Stack
	defer func() {
		for _, s := range stacks {
			err = errors.Join(err, s.Stop())
		}
	}()
	for range runtimes {
		s, err := stack.Start(ctx, stack.Options{ConfigPath: race.WorkerConfig, Vars: race.WorkerVars()})
		if err != nil {
			return "", err
		}
		stacks = append(stacks, s)
	}
	report, err := race.Run(ctx, stacks, config)
	if err != nil && report.Took == 0 {
		return "", err
	}
	if err == nil && (report.Cycles < config.Cycles || report.Acknowledged < config.Writes) {
		err = errShort
	}
	return raceHead(config, runtimes, err) + report.Markdown(), err
}

// raceHead says what raced on what, and whether it raced for as long as it was meant to.
func raceHead(config race.Config, runtimes int, err error) string {
	head := fmt.Sprintf(
		"%d local runtimes, %d users of each at a time, %d clients of each user, %d operators of each\nruntime; %d processors%s.\n\n",
		runtimes,
		config.Users,
		config.Clients,
		config.Operators,
		runtime.NumCPU(),
		load(),
	)
	if errors.Is(err, errShort) {
		head += fmt.Sprintf(
			"**Cut short**: the time (`-limit %s`) was over before %d cycles and %d acknowledged writes.\n\n",
			config.Limit,
			config.Cycles,
			config.Writes,
		)
	}
	return head
}

// load is how busy the machine was towards the end: with others at work on it, every duration of the account
// is theirs, too.
func load() string {
	content, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return ""
	}
	return ", load average " + strings.Fields(string(content))[2]
}

// runOldPath moves users beside an application that saves files without conditions.
func runOldPath(ctx context.Context, o options) (account string, err error) {
	if o.oldPath == 0 {
		return "", nil
	}
	err = withBinary(ctx, stack.Options{Vars: oldpath.WorkerVars}, func(s *stack.Stack, binary string) error {
		report, err := oldpath.Run(
			ctx,
			s,
			binary,
			oldpath.Config{Users: 3, Length: o.oldPath, Log: os.Stderr},
		)
		account = report.Markdown()
		return err
	})
	return account, err
}

func runNetwork(ctx context.Context, o options) (account string, err error) {
	if o.network == 0 {
		return "", nil
	}
	err = withBinary(ctx, stack.Options{}, func(s *stack.Stack, binary string) error {
		report, err := faults.Run(
			ctx,
			s,
			binary,
			faults.Config{Length: o.network, Operators: o.networkOperators, Log: os.Stderr},
		)
		account = report.Markdown()
		return err
	})
	return account, err
}

// withBinary does something with a runtime of its own and dbmigrate itself.
func withBinary(ctx context.Context, options stack.Options, do func(*stack.Stack, string) error) (err error) {
	dir, err := os.MkdirTemp("", "dbmigrate-soak-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary, err := harness.Build(ctx, ".", dir)
	if err != nil {
		return err
	}
	s, err := stack.Start(ctx, options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	return do(s, binary)
}
