package main

import (
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/kv"
)

// defaultConcurrency keeps a Worker busy; one user's database is one Durable Object, hence one thread.
const defaultConcurrency = 8

// pace is how fast and how stubbornly a run over users goes.
type pace struct {
	concurrency int
	maxFailures int
	maxDuration units.AgeFlag
}

func (p *pace) add(flags *pflag.FlagSet) {
	flags.IntVar(
		&p.concurrency,
		"concurrency",
		defaultConcurrency,
		"how many users are worked on at once, at most; fewer while a server is overloaded",
	)
	flags.IntVar(
		&p.maxFailures,
		"max-failures",
		0,
		"begin no more users after so many failures; 0 is no limit",
	)
	flags.Var(
		&p.maxDuration,
		"max-duration",
		"begin no more users after this `time`, such as 50m; those in flight are finished",
	)
}

func (p *pace) check() error {
	if p.concurrency < 1 || p.concurrency > 1000 {
		return usageError("read --concurrency", "", "it is not between 1 and 1000", "")
	}
	if p.maxFailures < 0 {
		return usageError("read --max-failures", "", "it is negative", "0 is no limit")
	}
	return nil
}

// longest is how long users may be begun; 0 is no limit.
func (p *pace) longest() time.Duration {
	if p.maxDuration.Typed == "" {
		return 0
	}
	return max(p.maxDuration.Duration, 1)
}

func (g *globalFlags) checkBudget() error {
	if g.apiBudget < kv.MinBudget || g.apiBudget > kv.MaxBudget {
		return usageError(
			"read --api-budget",
			fmt.Sprint(g.apiBudget),
			fmt.Sprintf("it is not between %d and %d", kv.MinBudget, kv.MaxBudget),
			"leave it out: the default keeps a quarter of the account's 1,200 calls free",
		)
	}
	return nil
}
