// Command bench measures dbmigrate against Cloudflare's local runtime, side by side with what people use
// today, and writes what it finds into docs/notes/performance.md:
//
//	go run ./scripts/bench -doc docs/notes/performance.md
//
// It runs in the root of the repository and needs sqlite3 in the path. Each section can be run by itself with
// -only.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"time"
)

// maxRounds bounds what is slow: L takes seconds each time.
func (o options) roundsOf(size string) int {
	if size == "L" {
		return min(o.rounds, 3)
	}
	return o.rounds
}

type options struct {
	rounds     int
	only       string
	sizes      string
	doc        string
	tempDir    string
	cpuProfile string
	worker     string
	gigabyte   bool
	fleet      int
	requests   int
	r2Delay    time.Duration
	storeDelay time.Duration
	baseline   string
	roundTrip  time.Duration
	uplink     float64 // Mbit/s
}

// section is one part of the page, between its own pair of comments.
type section struct {
	name    string
	measure func(context.Context, *world) (string, error)
}

var sections = []section{
	{"machine", machine},
	{"pairs", pairs},
	{"stages", stageTable},
	{"census", census},
	{"peers", peers},
	{"memory", memory},
	{"runtime", runtimeMemory},
	{"fleet", manyUsers},
	{"latency", latency},
	{"latency-simulated", simulatedLatency},
	{"wake-up", wakeUp},
	{"backup", backups},
	{"network", network},
	{"network-fleet", networkFleet},
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 9, "pairs that are measured of each kind")
	flag.StringVar(
		&o.only,
		"only",
		"",
		"sections to run, separated by commas: machine, pairs, stages, census, peers, memory, runtime, fleet, latency, latency-simulated, wake-up, backup, network, network-fleet",
	)
	flag.StringVar(&o.sizes, "sizes", "S,M,L", "databases of the sections pairs, stages and memory")
	flag.StringVar(
		&o.doc,
		"doc",
		"",
		"page in which to rewrite the measured sections; without it they are only printed",
	)
	flag.StringVar(&o.tempDir, "temp", "", "folder for databases and spooled files (default: the system's)")
	flag.StringVar(
		&o.cpuProfile,
		"cpuprofile",
		"",
		"write a profile of the engine in this process, for go tool pprof",
	)
	flag.StringVar(&o.worker, "worker", "", "folder of another worker/, to compare two versions of it")
	flag.BoolVar(&o.gigabyte, "gigabyte", false, "measure memory with a database of 1 GB, too")
	flag.IntVar(&o.fleet, "fleet", 300, "users of size S in the fleet")
	flag.IntVar(&o.requests, "requests", 60, "requests on each path for the latencies")
	flag.DurationVar(
		&o.r2Delay,
		"r2-delay",
		50*time.Millisecond,
		"what a network is assumed to add to each call of R2, for latency-simulated",
	)
	flag.DurationVar(
		&o.storeDelay,
		"store-delay",
		5*time.Millisecond,
		"the same for each call of a Durable Object",
	)
	flag.StringVar(&o.baseline, "baseline", "ea19b36", "commit that the section network compares with")
	flag.DurationVar(&o.roundTrip, "rtt", 0, "round trip of the section network (default: a laptop's and a CI machine's)")
	flag.Float64Var(&o.uplink, "uplink", 0, "its uplink, in Mbit/s; 0 is no limit")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (err error) {
	w, err := newWorld(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if o.cpuProfile != "" {
		f, err := os.Create(o.cpuProfile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	for _, s := range sections {
		if o.only != "" && !slices.Contains(strings.Split(o.only, ","), s.name) {
			continue
		}
		w.say("measuring %s", s.name)
		text, err := s.measure(ctx, w)
		if err != nil {
			return fmt.Errorf("measure %s: %w", s.name, err)
		}
		fmt.Printf("%s\n", text)
		if err := w.publish(s.name, text); err != nil {
			return err
		}
	}
	return nil
}

// publish replaces one section of the page.
func (w *world) publish(name, text string) error {
	if w.doc == "" {
		return nil
	}
	page, err := os.ReadFile(w.doc)
	if err != nil {
		return err
	}
	begin, end := "<!-- bench:"+name+" -->", "<!-- end -->"
	before, rest, found := strings.Cut(string(page), begin)
	_, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		return fmt.Errorf("write %s: it has no section %q", w.doc, begin)
	}
	return os.WriteFile(w.doc, []byte(before+begin+"\n\n"+wrapped(strings.TrimSpace(text))+"\n\n"+end+after), 0o644)
}

// pageColumns is how wide a page's text may be.
const pageColumns = 110

// wrapped breaks long lines, except those of tables.
func wrapped(text string) string {
	var out strings.Builder
	for line := range strings.Lines(text) {
		if len(line) <= pageColumns || strings.HasPrefix(line, "|") {
			out.WriteString(line)
			continue
		}
		width := 0
		for i, word := range strings.Fields(line) {
			switch {
			case i == 0:
			case width+1+len(word) > pageColumns:
				out.WriteString("\n")
				width = 0
			default:
				out.WriteString(" ")
				width++
			}
			out.WriteString(word)
			width += len(word)
		}
		if strings.HasSuffix(line, "\n") {
			out.WriteString("\n")
		}
	}
	return out.String()
}
