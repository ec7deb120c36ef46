package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// place is where an operator sits.
type place struct {
	name      string
	roundTrip time.Duration
	uplink    int64 // bits a second; 0: any number
}

// places are those that are measured; -rtt and -uplink add one.
var places = []place{
	{"50 ms", 50 * time.Millisecond, 0},
	{"laptop: 60 ms, 20 Mbit/s up", 60 * time.Millisecond, 20_000_000},
	{"CI machine: 15 ms, 1 Gbit/s up", 15 * time.Millisecond, 1_000_000_000},
}

// network measures this binary and Worker beside those of another commit, in turn, as an operator far away
// sees them.
func network(ctx context.Context, w *world) (string, error) {
	return beside(ctx, w, []func(*versions, context.Context, *strings.Builder) error{
		(*versions).requests, (*versions).commands, (*versions).pauses,
	})
}

// beside measures parts of both versions, each with a Worker of its own.
func beside(
	ctx context.Context,
	w *world,
	parts []func(*versions, context.Context, *strings.Builder) error,
) (text string, err error) {
	before, err := w.of(ctx, w.baseline)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, before.close()) }()
	n := &versions{now: w, before: before}
	var out strings.Builder
	fmt.Fprintf(
		&out,
		"Before is %s, now is this commit, each with a Worker of its own, in turn; medians of %d rounds%s.\n\n",
		w.baseline,
		w.rounds,
		load(),
	)
	for _, part := range parts {
		from := out.Len()
		if err := part(n, ctx, &out); err != nil {
			return "", err
		}
		w.say("\n%s", out.String()[from:]) // the others take minutes
		out.WriteString("\n")
	}
	return out.String(), nil
}

// of is the world of another commit: its binary, and its Worker in a runtime of its own.
func (w *world) of(ctx context.Context, commit string) (*world, error) {
	source := filepath.Join(w.dir, "source-"+commit)
	if err := os.MkdirAll(source, 0o755); err != nil {
		return nil, err
	}
	unpack := exec.CommandContext(ctx, "/bin/sh", "-c", `git archive "$1" | tar -x -C "$2"`, "sh", commit, source)
	if out, err := unpack.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("unpack %s: %w\n%s", commit, err, out)
	}
	modules, err := filepath.Abs(filepath.Join("worker", "node_modules"))
	if err != nil {
		return nil, err
	}
	err = os.Symlink(modules, filepath.Join(source, "worker", "node_modules"))
	if err != nil && !errors.Is(err, os.ErrExist) { // a section before has unpacked it
		return nil, err
	}
	o := w.options
	o.worker = filepath.Join(source, "worker")
	return newWorldFrom(ctx, o, source)
}

// versions are two worlds in turn.
type versions struct{ now, before *world }

func (n *versions) sides() []*world { return []*world{n.before, n.now} }

// over lets do run dbmigrate over a line.
func (w *world) over(p place, do func(*line) error) error {
	l, err := newLine(w.cloud.URL, p.roundTrip, p.uplink)
	if err != nil {
		return err
	}
	w.through = l.url()
	defer func() { w.through = "" }()
	return errors.Join(do(l), l.close())
}

// timed runs dbmigrate.
func (w *world) timed(ctx context.Context, into *[]time.Duration, args ...string) error {
	run, err := w.dbmigrate(ctx, args...)
	*into = append(*into, run.took)
	return err
}

// writeOnce lets the application write.
func (w *world) writeOnce(ctx context.Context, u userdb.UserID) error {
	_, err := w.post(ctx, queryPath(u), appRequests[1], 1, `"side":"store"`)
	return err
}

// requests counts what an S user costs: the requests about the user, and the bytes of a rollback.
func (n *versions) requests(ctx context.Context, out *strings.Builder) error {
	fmt.Fprintln(
		out,
		"| S: requests, start-up, records and flag aside | migrate | rollback unchanged | rollback with writes | bytes up and down, rollback unchanged |\n|---|---|---|---|---|",
	)
	for i, w := range n.sides() {
		db, err := w.database(ctx, "S")
		if err != nil {
			return err
		}
		u, err := w.upload(ctx, db)
		if err != nil {
			return err
		}
		var row []string
		for _, step := range []struct {
			command string
			writes  bool
		}{{"migrate", false}, {"rollback", false}, {"migrate", false}, {"rollback", true}} {
			if step.writes {
				if err := w.writeOnce(ctx, u); err != nil {
					return err
				}
			}
			names, err := w.sent(ctx, step.command, string(u))
			if err != nil {
				return err
			}
			row = append(row, fmt.Sprintf("%d", len(names)))
			w.say("%s: %s", step.command, strings.Join(names, ", "))
		}
		bytes, err := w.bytesOfRollback(ctx, db)
		if err != nil {
			return err
		}
		fmt.Fprintf(out, "| %s | %s | %s | %s | %s |\n", []string{"before", "now"}[i], row[0], row[1], row[3], megabytes(bytes))
	}
	return nil
}

// sent are the requests of a command about its user, the second argument.
func (w *world) sent(ctx context.Context, args ...string) ([]string, error) {
	proxy, err := faultproxy.New(w.cloud.URL)
	if err != nil {
		return nil, err
	}
	defer proxy.Close()
	w.through = proxy.URL()
	defer func() { w.through = "" }()
	if _, err := w.dbmigrate(ctx, args...); err != nil {
		return nil, err
	}
	var names []string
	about := false // the user, and not the start-up
	for _, r := range proxy.Seen() {
		name := r.Name()
		admin := strings.HasPrefix(name, "admin ") && name != "admin hello"
		about = about || admin
		users := strings.Contains(r.Path, "/"+args[1]+"/") // and no listing, record or probe
		if admin || about && strings.HasPrefix(name, "R2 ") && users {
			names = append(names, name)
		}
	}
	return names, nil
}

func (w *world) bytesOfRollback(ctx context.Context, db database) (bytes int64, err error) {
	u, err := w.upload(ctx, db)
	if err != nil {
		return 0, err
	}
	if _, err := w.dbmigrate(ctx, "migrate", string(u)); err != nil {
		return 0, err
	}
	err = w.over(place{}, func(l *line) error {
		_, err := w.dbmigrate(ctx, "rollback", string(u))
		bytes = l.up.Load() + l.down.Load()
		return err
	})
	return bytes, err
}

// commands times whole commands for one user, from each place.
func (n *versions) commands(ctx context.Context, out *strings.Builder) error {
	fmt.Fprintln(
		out,
		"| one user, the whole command | migrate before | now | ratio | rollback unchanged before | now | ratio |\n|---|---|---|---|---|---|---|",
	)
	for _, p := range n.now.places() {
		for _, size := range strings.Split(n.now.sizes, ",") {
			if size == "L" { // an uplink of 20 Mbit/s takes a minute for it
				continue
			}
			there, back := make([][]time.Duration, 2), make([][]time.Duration, 2)
			for range n.now.roundsOf(size) {
				for i, w := range n.sides() {
					if err := w.thereAndBack(ctx, p, size, &there[i], &back[i]); err != nil {
						return err
					}
				}
			}
			fmt.Fprintf(
				out,
				"| %s, %s | %s | %s | **%.2f** | %s | %s | **%.2f** |\n",
				size,
				p.name,
				seconds(median(there[0])),
				seconds(median(there[1])),
				medianRatio(there[0], there[1]),
				seconds(median(back[0])),
				seconds(median(back[1])),
				medianRatio(back[0], back[1]),
			)
		}
	}
	return nil
}

func (w *world) thereAndBack(
	ctx context.Context,
	p place,
	size string,
	there, back *[]time.Duration,
) error {
	db, err := w.database(ctx, size)
	if err != nil {
		return err
	}
	u, err := w.upload(ctx, db)
	if err != nil {
		return err
	}
	return w.over(p, func(*line) error {
		if err := w.timed(ctx, there, "migrate", string(u)); err != nil {
			return err
		}
		return w.timed(ctx, back, "rollback", string(u))
	})
}

// pauses are how long writes wait at the cutover, here and 50 ms away.
func (n *versions) pauses(ctx context.Context, out *strings.Builder) error {
	fmt.Fprintln(
		out,
		"| write pause at the cutover | before: local, median | p99 | 50 ms, median | p99 | now: local, median | p99 | 50 ms, median | p99 |\n|---|---|---|---|---|---|---|---|---|",
	)
	for _, size := range strings.Split(n.now.sizes, ",") {
		pauses := make([][2][]time.Duration, 2)
		for range n.now.roundsOf(size) {
			for i, w := range n.sides() {
				for j, p := range []place{{}, places[0]} {
					pause, err := w.pauseOf(ctx, p, size)
					if err != nil {
						return err
					}
					pauses[i][j] = append(pauses[i][j], pause)
				}
			}
		}
		fmt.Fprintf(out, "| %s", size)
		for i := range pauses {
			for _, list := range pauses[i] {
				fmt.Fprintf(out, " | %s | %s", milliseconds(median(list)), milliseconds(quantile(list, 0.99)))
			}
		}
		fmt.Fprintln(out, " |")
	}
	return nil
}

func (w *world) pauseOf(ctx context.Context, p place, size string) (pause time.Duration, err error) {
	db, err := w.database(ctx, size)
	if err != nil {
		return 0, err
	}
	u, err := w.upload(ctx, db)
	if err != nil {
		return 0, err
	}
	err = w.over(p, func(*line) error {
		run, err := w.dbmigrate(ctx, "migrate", string(u), "--output", "json")
		if err != nil {
			return err
		}
		first, _, _ := strings.Cut(run.stdout, "\n")
		var account struct {
			WindowMs int64 `json:"windowMs"`
		}
		pause = 0
		if err := json.Unmarshal([]byte(first), &account); err != nil {
			return err
		}
		pause = time.Duration(account.WindowMs) * time.Millisecond
		return nil
	})
	return pause, err
}

// fleetRounds is into how many parts the fleet goes there and back, both sides in turn.
const fleetRounds = 3

// fleetCost is what both ways cost a version of a whole fleet: by the clock, of processor time, and its peak.
type fleetCost struct {
	there, back command
}

func (c *command) add(other command) {
	if c.parts == nil {
		c.parts = split{}
	}
	c.parts.add(other.parts)
	c.took, c.cpu, c.peak = c.took+other.took, c.cpu+other.cpu, max(c.peak, other.peak)
}

// networkFleet moves many users there and back without a network.
func networkFleet(ctx context.Context, w *world) (string, error) {
	return beside(ctx, w, []func(*versions, context.Context, *strings.Builder) error{(*versions).fleets})
}

func (n *versions) fleets(ctx context.Context, out *strings.Builder) error {
	var costs [2]fleetCost
	part := max(1, n.now.fleet/fleetRounds)
	for range fleetRounds {
		for i, w := range n.sides() {
			if err := w.fleetThereAndBack(ctx, part, &costs[i]); err != nil {
				return err
			}
		}
	}
	users := float64(part * fleetRounds)
	fmt.Fprintf(
		out,
		"| %.0f S users, no network | users a second, before | now | times | processor time of a user, before | now | ratio |\n|---|---|---|---|---|---|---|\n",
		users,
	)
	before, now := costs[0], costs[1]
	for _, row := range []struct {
		name        string
		before, now command
	}{{"migrate", before.there, now.there}, {"rollback unchanged", before.back, now.back}} {
		fmt.Fprintf(
			out,
			"| %s | %.1f | %.1f | **%.2f** | %s | %s | **%.2f** |\n",
			row.name,
			users/row.before.took.Seconds(),
			users/row.now.took.Seconds(),
			row.before.took.Seconds()/row.now.took.Seconds(),
			milliseconds(row.before.cpu/time.Duration(users)),
			milliseconds(row.now.cpu/time.Duration(users)),
			row.now.cpu.Seconds()/row.before.cpu.Seconds(),
		)
	}
	fmt.Fprintf(
		out,
		"\nPeak memory of the process: %s before, %s now.\n",
		megabytes(max(before.there.peak, before.back.peak)),
		megabytes(max(now.there.peak, now.back.peak)),
	)
	return n.now.processorTable(ctx, out, part*fleetRounds, costs)
}

func (w *world) fleetThereAndBack(ctx context.Context, n int, cost *fleetCost) error {
	db, err := w.database(ctx, "S")
	if err != nil {
		return err
	}
	var users []string
	for range n {
		u, err := w.upload(ctx, db)
		if err != nil {
			return err
		}
		users = append(users, string(u))
	}
	for _, step := range []struct {
		command string
		sum     *command
	}{{"migrate", &cost.there}, {"rollback", &cost.back}} {
		run, err := w.dbmigrate(ctx, append([]string{step.command}, users...)...)
		if err != nil {
			return err
		}
		step.sum.add(run)
	}
	return nil
}

// places are the usual ones, or the one that was asked for.
func (w *world) places() []place {
	if w.roundTrip == 0 && w.uplink == 0 {
		return places
	}
	return slices.Concat(places[:1], []place{{
		cmp.Or(fmt.Sprintf("%s, %g Mbit/s up", w.roundTrip, w.uplink), "asked for"),
		w.roundTrip,
		int64(w.uplink * 1e6),
	}})
}
