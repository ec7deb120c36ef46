package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// part is a process, or several, by what it does.
type part string

const (
	partOperator part = "dbmigrate"
	partWorker   part = "Worker, objects, local R2 and KV" // one process, one thread
	partProxy    part = "wrangler's proxy"
	partNode     part = "wrangler itself" // which writes a log line for each request
)

// parts are all of them, in the order of the tables.
var parts = []part{partOperator, partWorker, partProxy, partNode}

// split is processor time by what it was for.
type split map[part]time.Duration

// add adds another one.
func (s split) add(other split) {
	for part, took := range other {
		s[part] += took
	}
}

func (s split) sum() (all time.Duration) {
	for _, took := range s {
		all += took
	}
	return all
}

// since is what came after an earlier look.
func (s split) since(before split) split {
	rest := split{}
	for part, used := range s {
		rest[part] = used - before[part]
	}
	return rest
}

// each is the share of one of so many users.
func (s split) each(users int) split {
	one := split{}
	for part, used := range s {
		one[part] = used / time.Duration(users)
	}
	return one
}

// runtimeUsed is what the processes under this one have used so far.
func runtimeUsed() split {
	used := split{}
	for pid, name := range descendants() {
		if p := partOf(pid, name); p != "" {
			used[p] += cpuTime([]int{pid})
		}
	}
	return used
}

// partOf tells the processes of wrangler apart. That with the Worker alone has an inspector.
func partOf(pid int, name string) part {
	command, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return "" // it ended meanwhile
	}
	args := strings.Split(string(command), "\x00")
	has := func(begin string) bool {
		return slices.ContainsFunc(args, func(arg string) bool { return strings.HasPrefix(arg, begin) })
	}
	switch {
	case name == "workerd" && has("--inspector-addr"):
		return partWorker
	case name == "workerd":
		return partProxy
	case slices.ContainsFunc(args, func(arg string) bool { return strings.Contains(arg, "wrangler") }):
		return partNode
	}
	return ""
}

// processorTable says where the processor time of a user goes, and what of it no program can do without: the
// requests that fetch the file and replace it, with nothing around them.
func (w *world) processorTable(ctx context.Context, out *strings.Builder, users int, costs [2]fleetCost) error {
	there, back, err := w.leastOf(ctx, min(users, leastUsers))
	if err != nil {
		return err
	}
	fmt.Fprintln(
		out,
		"\n| processor time of a user | all | dbmigrate | Worker, objects, local R2 and KV | wrangler's proxy | wrangler |\n|---|---|---|---|---|---|",
	)
	before, now := costs[0], costs[1]
	for _, row := range []struct {
		name string
		cost split
	}{
		{"migrate, before", before.there.parts.each(users)},
		{"migrate, now", now.there.parts.each(users)},
		{"the least: GET over S3, and R2 to R2 under a fence", there},
		{"rollback unchanged, before", before.back.parts.each(users)},
		{"rollback unchanged, now", now.back.parts.each(users)},
		{"the least: R2 to R2 under a stamp", back},
	} {
		fmt.Fprintf(out, "| %s | %s", row.name, milliseconds(row.cost.sum()))
		for _, part := range parts {
			fmt.Fprintf(out, " | %s", milliseconds(row.cost[part]))
		}
		fmt.Fprintln(out, " |")
	}
	for _, row := range []struct {
		name               string
		before, now, least split
	}{
		{"migrate", before.there.parts.each(users), now.there.parts.each(users), there},
		{"rollback unchanged", before.back.parts.each(users), now.back.parts.each(users), back},
	} {
		fmt.Fprintf(
			out,
			"\n%s: %.2f times less processor time than before; with nothing but the least it would be %.2f times. Without the least on either side: %.2f times.\n",
			row.name,
			row.before.sum().Seconds()/row.now.sum().Seconds(),
			row.before.sum().Seconds()/row.least.sum().Seconds(),
			(row.before.sum()-row.least.sum()).Seconds()/(row.now.sum()-row.least.sum()).Seconds(),
		)
	}
	return nil
}

// leastUsers are as many as give a steady figure.
const leastUsers = 40

// leastOf is the processor time of the floor: of both its requests, and of the second alone.
func (w *world) leastOf(ctx context.Context, users int) (there, back split, err error) {
	db, err := w.database(ctx, "S")
	if err != nil {
		return nil, nil, err
	}
	there, back = split{}, split{}
	for range users {
		u, err := w.upload(ctx, db)
		if err != nil {
			return nil, nil, err
		}
		head, sum, err := fencedSum(db.path)
		if err != nil {
			return nil, nil, err
		}
		begun := runtimeUsed()
		object, err := w.bucket.Get(ctx, w.engine.Layout.Key(u), "", io.Discard)
		if err != nil {
			return nil, nil, err
		}
		got := runtimeUsed()
		if err := w.markAs(ctx, u, object, head, sum); err != nil {
			return nil, nil, err
		}
		marked := runtimeUsed()
		there.add(marked.since(begun))
		back.add(marked.since(got))
	}
	return there.each(users), back.each(users), nil
}
