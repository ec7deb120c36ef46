// Command model runs the searches of the cutover's model (docs/cutover) with Spin and prints what they found.
// It fails when a search finds a violation or is not complete, when a mutation finds none, and when
// docs/cutover/transitions.json is not the model's table.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
)

// modelDir and transitionsFile are seen from the project's root, where run.sh starts this program.
const (
	modelDir        = "docs/cutover/model"
	transitionsFile = "docs/cutover/transitions.json"
)

type options struct {
	full  bool
	quick bool
	write bool
	trace string
	doc   string
	jobs  int
	limit time.Duration
}

func main() {
	var o options
	flag.BoolVar(&o.full, "full", false, "run the larger searches as well")
	flag.BoolVar(
		&o.quick,
		"quick",
		false,
		"run one small search and one mutation of a small world: the turn chooses (internal/testkit/effort)",
	)
	flag.BoolVar(&o.write, "write", false, "rewrite "+transitionsFile+" instead of comparing it, and end")
	flag.StringVar(
		&o.trace,
		"trace",
		"",
		"print the counterexample of the search or mutation of this `name`, and end",
	)
	flag.StringVar(
		&o.doc,
		"doc",
		"",
		"`page` in which to rewrite the sections searches and mutations, and searches-full with -full, if nothing failed",
	)
	flag.IntVar(&o.jobs, "jobs", 2, "searches at a time; each may take 3.8 GB")
	flag.DurationVar(&o.limit, "limit", 15*time.Minute, "a search that takes longer counts as not complete")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdout, o); err != nil {
		fmt.Fprintln(os.Stderr, "model:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, o options) error {
	if o.trace != "" {
		return printTrace(ctx, out, o)
	}
	if err := transitions(ctx, o.write); err != nil || o.write {
		return err
	}
	clean, broken, err := o.selected(out)
	if err != nil {
		return err
	}
	fmt.Fprintf(
		out,
		"%d searches that have to be complete and clean, then %d mutations that each have to break a property\n\n",
		len(clean),
		len(broken),
	)
	found, failed := runAll(ctx, out, clean, o)
	breaks, unnoticed := runAll(ctx, out, broken, o)
	if failed+unnoticed > 0 {
		return fmt.Errorf("%d did not do what is expected of them", failed+unnoticed)
	}
	if err = ctx.Err(); err != nil || o.doc == "" {
		return err
	}
	return publish(o, found, breaks)
}

// selected are the searches and the mutations of this run. A quick one says how many it leaves to others.
func (o options) selected(out io.Writer) (clean, broken []search, err error) {
	clean, broken = selectSearches(o.size())
	if !o.quick {
		return clean, broken, nil
	}
	clean, searchesNote, err := effort.Part("quick searches", clean, 1)
	if err != nil {
		return nil, nil, err
	}
	broken, mutationsNote, err := effort.Part("quick mutations", broken, 1)
	fmt.Fprint(out, searchesNote, mutationsNote)
	return clean, broken, err
}

func (o options) size() size {
	switch {
	case o.full:
		return full
	case o.quick:
		return quick
	}
	return usual
}

// runAll runs the searches, a few at a time, prints a line for each in their order, and returns what they
// found and how many failed.
func runAll(ctx context.Context, out io.Writer, searches []search, o options) (found []finding, failed int) {
	printHead(out)
	slots := make(chan struct{}, o.jobs)
	results := make([]chan result, len(searches))
	for i, s := range searches {
		results[i] = make(chan result, 1)
		go func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			results[i] <- runSearch(ctx, s, o.limit)
		}()
	}
	for i, s := range searches {
		r := <-results[i]
		printLine(out, s, r)
		found = append(found, finding{s, r})
		if r.fault(s) != "" {
			failed++
			io.WriteString(out, r.trace)
		}
	}
	fmt.Fprintln(out)
	return found, failed
}

func printTrace(ctx context.Context, out io.Writer, o options) error {
	for _, s := range append(slices.Clone(searches), mutations...) {
		if s.name != o.trace {
			continue
		}
		r := runSearch(ctx, s, o.limit)
		printHead(out)
		printLine(out, s, r)
		if fault := r.fault(s); fault != "" && r.trace == "" {
			return errors.New(fault)
		}
		_, err := io.WriteString(out, r.trace)
		return err
	}
	return fmt.Errorf("there is no search or mutation %q", o.trace)
}
