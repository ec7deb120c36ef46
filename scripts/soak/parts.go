package main

import (
	"context"
	"errors"
	"os"

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
	return report.Markdown(), err
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
