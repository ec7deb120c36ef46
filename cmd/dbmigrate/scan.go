package main

import (
	"context"
	"path/filepath"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/commandline"
	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/cost"
	"github.com/dbmigrate/dbmigrate/internal/latency"
	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/internal/runpage"
	"github.com/dbmigrate/dbmigrate/internal/scan"
	"github.com/dbmigrate/dbmigrate/internal/scanlog"
	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

type scanOptions struct {
	selection.Options
	policy        string
	recommendOver units.SizeFlag
	deep          scan.Sample
	requests      string
	concurrency   int
	report        string
	top           int
	history       historyFlags
	traffic       trafficFlags
}

func newScan(a *app) *cobra.Command {
	o := scanOptions{recommendOver: units.SizeFlag{Bytes: scan.RecommendFrom}}
	cmd := described("scan", func(cmd *cobra.Command, args []string) error { return looked(a.scan(cmd, &o, args)) })
	cmd.Args = scanArguments(&o)
	o.addFlags(cmd.Flags())
	return cmd
}

// addFlags are the flags of scan.
func (o *scanOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.policy, "policy", "", "say what a split by this `file` would move; init: write a first policy for USER")
	addWhole(&o.Options, flags)
	addParts(&o.Options, flags)
	addNarrow(&o.Options, flags)
	flags.Var(&o.recommendOver, "recommend-over", "recommend moving from this size on")
	flags.Var(&o.deep, "deep",
		"read each file that is still in R2 and say what a Durable Object could not hold; with a `share` such as 5%, only so many")
	flags.Lookup("deep").NoOptDefVal = scan.WholeSample
	flags.StringVar(&o.requests, "requests", "",
		"`file` with JSON lines of a router's observer: how long requests take, for --report (docs/mount.md)")
	addConcurrency(&o.concurrency, flags, looksAtOnce, "how many files --deep and --policy read at once")
	flags.StringVar(&o.report, "report", "",
		"write a page about it all to this HTML `file`, which needs no network")
	addTop(&o.top, flags)
	o.history.add(flags)
	o.traffic.add(flags)
}

func (a *app) scan(cmd *cobra.Command, o *scanOptions, args []string) error {
	a.listing()
	o.traffic.given = cmd.Flags().Changed("requests-per-day")
	if o.policy != "" {
		return a.scanPolicy(cmd, o, args)
	}
	if err := runpage.CheckReport(o.report); err != nil {
		return err
	}
	requests, err := o.readRequests()
	if err != nil {
		return err
	}
	ctx := cmd.Context()
	source := a.source(cmd)
	e, c, err := source.Reading(1)
	if err != nil {
		return err
	}
	past, err := a.recall(ctx, &o.history, e, c)
	if err != nil {
		return err
	}
	r, err := scan.Survey(
		ctx,
		e.Inspect(),
		scan.Options{
			Prefix:      o.Prefix,
			Threshold:   o.recommendOver.Bytes,
			Deep:        o.deep.On,
			Sample:      o.deep.Share,
			Requests:    requests,
			Concurrency: o.concurrency,
			Past:        past,
			ForeignMark: source.ForeignMark(e, c),
			Consistent:  o.history.consistent,
			Traffic:     o.traffic.known(),
			Run:         e.Run,
			Out:         a.out,
			Scratch:     e.Scratch,
		},
	)
	if err != nil {
		return err
	}
	defer r.Close()
	page := o.writePage(a, r, c.Bucket)
	if page != nil {
		a.out.Warn("%v", page) // the results are still to come
	}
	totals, err := r.Print(a.out, o.top)
	if err == nil && (page != nil || totals.FlagsUnread || totals.Failed > 0 || totals.HistoryUnwritten && o.history.needed()) {
		return ended(exitFailed)
	}
	if err == nil && totals.Users == 0 {
		return selection.Nobody("scan", "there is nobody")
	}
	return err
}

// writePage writes the page, if one is wanted.
func (o *scanOptions) writePage(a *app, r *scan.Report, bucket string) error {
	if o.report == "" {
		return nil
	}
	if err := r.WritePage(o.report, bucket, version()); err != nil {
		return err
	}
	a.out.StepSummaryPage(o.report)
	return nil
}

// readRequests reads what a router observed; nil: nobody said where that is.
func (o *scanOptions) readRequests() (*latency.Observed, error) {
	if o.requests == "" {
		return nil, nil
	}
	return scan.ReadRequests(o.requests, o.recommendOver.Bytes)
}

// recall opens the history.
func (a *app) recall(
	ctx context.Context,
	h *historyFlags,
	e *migrate.Engine,
	c config.Config,
) (scan.Memory, error) {
	history := a.scanHistory(h, e, c)
	return history.Open(ctx, e.Files, e.Scratch, a.out.Warn)
}

// scanHistory is where scans of the bucket are remembered.
func (a *app) scanHistory(h *historyFlags, e *migrate.Engine, c config.Config) scan.History {
	return scan.History{
		File:   h.file,
		InR2:   h.inR2,
		Needed: h.needed(),
		Scope:  scanlog.Scope{Endpoint: c.R2Endpoint, Bucket: c.Bucket, Layout: e.Layout.String()},
		Dir: func() (string, error) {
			state, err := record.StateDir(a.getenv)
			return filepath.Join(state, "history"), err
		},
	}
}

// historyFlags say where scans are remembered, and what is read from it.
type historyFlags struct {
	file       string
	inR2       bool
	consistent int
}

func (h *historyFlags) add(flags *pflag.FlagSet) {
	commandline.Int(flags, &h.consistent, "consistent", 0, 0, 100,
		"recommend only users over the threshold in each of the last `n` scans, an hour or more apart")
	flags.StringVar(&h.file, "history", "",
		"`file` that remembers scans, for CI jobs that cache a file (default: one for each bucket and layout under $XDG_STATE_HOME/dbmigrate)")
	flags.BoolVar(&h.inR2, "history-r2", false,
		"remember scans in the bucket, under "+userdb.ReservedPrefix+"history/, for every machine")
}

// needed says that the command cannot do without a history.
func (h *historyFlags) needed() bool { return h.file != "" || h.inR2 || h.consistent > 1 }

// trafficFlags are what a scan cannot see: how much the application is used.
type trafficFlags struct {
	cost.Traffic
	given bool
}

func (t *trafficFlags) add(flags *pflag.FlagSet) {
	commandline.Float(flags, &t.RequestsPerDay, "requests-per-day", 1e12,
		"how many requests a user's application makes a day, on average, for the monthly cost")
	commandline.Float(flags, &t.WritesShare, "writes-share", 1, "how many of them write, from 0 to 1")
}

// known is nil where nobody said how much the application is used.
func (t *trafficFlags) known() *cost.Traffic {
	if !t.given {
		return nil
	}
	return &t.Traffic
}
