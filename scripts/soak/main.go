// Command soak races clients against operators for long (test/race) on a local runtime, and prints the account as Markdown:
//
//	go run ./scripts/soak -cycles 1000 -writes 100000 -limit 1h
//
// It ends when both numbers are reached or the time is over, and exits with 1 when a write was lost, came twice or was read wrongly, or when
// the time was over first.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/stack"
	"github.com/dbmigrate/dbmigrate/test/race"
)

func main() {
	config := race.Config{Log: os.Stderr}
	flag.Int64Var(&config.Cycles, "cycles", 1000, "cutovers there and back, over all users")
	flag.Int64Var(&config.Writes, "writes", 100_000, "acknowledged writes")
	flag.DurationVar(&config.Limit, "limit", time.Hour, "the longest time")
	flag.IntVar(&config.Users, "users", 4, "users who are moved")
	flag.IntVar(&config.Clients, "clients", 4, "clients of each user")
	flag.IntVar(&config.Operators, "operators", 2, "operators at once")
	flag.DurationVar(&config.FilePause, "file-pause", time.Second, "longest pause of a client after a write to a file; R2 takes one a second")
	flag.DurationVar(&config.EvictEvery, "evict-every", 2*time.Second, "how often a Durable Object is thrown out of memory; 0 is never")
	flag.DurationVar(&config.RestartEvery, "restart-every", 2*time.Minute, "how often the runtime is restarted; 0 is never")
	flag.Float64Var(&config.Kills, "kills", 0.05, "share of commands that die at one of their requests")
	flag.Parse()
	if err := run(config); err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

func run(config race.Config) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	s, err := stack.Start(ctx, stack.Options{ConfigPath: race.WorkerConfig})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Stop()) }()
	report, err := race.Run(ctx, s, config)
	fmt.Print(report.Markdown())
	if err == nil && (report.Cycles < config.Cycles || report.Acknowledged < config.Writes) {
		err = fmt.Errorf("the time was over before %d cycles and %d acknowledged writes; nothing was lost until then", config.Cycles, config.Writes)
	}
	return err
}
