package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
)

const (
	// noteFrom is the size from which a database is worth watching.
	noteFrom = 512 * units.KB
	// recommendFrom is the size from which moving is recommended, unless --threshold says otherwise.
	recommendFrom = units.MB
)

type scanOptions struct {
	selection.Options
	threshold   units.SizeFlag
	policy      string
	deep        bool
	concurrency int
	report      string
	history     historyFlags
	traffic     trafficFlags
}

func newScan(a *app) *cobra.Command {
	o := scanOptions{threshold: units.SizeFlag{Bytes: recommendFrom}}
	cmd := &cobra.Command{
		Use:   "scan [--policy FILE [USER...]]",
		Short: "List users by the size of their databases, and say who should move",
		Long: "List every user with a database in the bucket, the largest first, and say who should move: \"note\" from 512 KB,\n" +
			"\"migrate\" from 1 MB (--threshold). Users who are migrated already are shown as such.\n\n" +
			"Scans are remembered in a file on this machine, or in the bucket with --history-r2: so a scan knows how fast users grow,\n" +
			"who will cross the threshold within 30 days, and, with --consistent, who is over it for good.\n\n" +
			"The cost of moving who should move is worked out from list prices: each month, and once. How much the application is\n" +
			"used no scan can see: say it with --requests-per-day and --writes-share. --report writes it all as a page to show.\n\n" +
			"With --policy it says instead what split mode would move of each user, by default of those over the threshold: which rows\n" +
			"of which tables are cold, and how large the file would be without them. docs/split.md describes the policy.\n\n" +
			"Sizes are decimal, as Cloudflare's limits and prices are: 1 KB is 1,000 bytes and 1 MB is 1,000,000 bytes. Flags take\n" +
			"KiB (1,024 bytes), MiB and GiB, too.",
		Example: "  dbmigrate scan\n" +
			"  dbmigrate scan --deep --requests-per-day 200 --writes-share 0.2 --report scan.html\n" +
			"  dbmigrate scan --policy cold.toml --over 5MB\n" +
			"  dbmigrate scan --consistent 3 --output json | jq -r 'select(.advice==\"migrate\").user' > wave1.txt",
		Annotations: manual{
			reads:   "a listing of the bucket, a HEAD for each user, the flags; with --deep and --policy, the files",
			changes: "nothing at Cloudflare but the history, with --history-r2; on this machine the history and the report",
			undo:    "delete them; nothing else depends on them",
			exits:   []int{exitDone, exitFailed, exitUsage, exitInterrupted},
		}.annotations(),
		Args: scanArguments(&o),
		RunE: func(cmd *cobra.Command, args []string) error { return a.scan(cmd, &o, args) },
	}
	flags := cmd.Flags()
	flags.Var(&o.threshold, "threshold", "recommend moving from this size on")
	flags.StringVar(&o.policy, "policy", "", "say what a split by this `file` would move")
	addWhole(&o.Options, flags)
	addParts(&o.Options, flags)
	addNarrow(&o.Options, flags)
	flags.BoolVar(&o.deep, "deep", false, "read each file that is still in R2 and say what a Durable Object could not hold")
	flags.IntVar(&o.concurrency, "concurrency", defaultConcurrency, "how many files --deep and --policy read at once")
	flags.StringVar(&o.report, "report", "", "write a page about it all to this HTML `file`, which needs no network")
	o.history.add(flags)
	o.traffic.add(flags)
	return cmd
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usageError("read arguments", fmt.Sprintf("%q", args[0]), cmd.CommandPath()+" takes none", "see "+cmd.CommandPath()+" --help")
}

// survey is what a scan found, and what follows from it.
type survey struct {
	at     time.Time
	deep   bool
	lines  []scanned
	totals scanTotals
	trend  fleetTrend
	cost   fleetCost
}

func (a *app) scan(cmd *cobra.Command, o *scanOptions, args []string) error {
	if err := cmp.Or((&pace{concurrency: o.concurrency}).check(), o.history.check(), o.traffic.check(cmd.Flags()), checkPolicyFlags(cmd, o.policy)); err != nil {
		return err
	}
	if o.policy != "" {
		return a.scanPolicy(cmd, o, args)
	}
	ctx := cmd.Context()
	e, c, err := a.connectReading(cmd.Flags().Changed("env"))
	if err != nil {
		return err
	}
	past, err := a.recall(ctx, &o.history, e, c)
	if err != nil {
		return err
	}
	s, err := a.survey(ctx, o, e, past)
	if err != nil {
		return err
	}
	if o.report != "" {
		if err := s.writeReport(o.report, c.Bucket); err != nil {
			return err
		}
	}
	return a.printScan(s)
}

// survey looks at every user, then at the past, then at the prices.
func (a *app) survey(ctx context.Context, o *scanOptions, e *migrate.Engine, past memory) (*survey, error) {
	unread := false
	found, err := e.Scan(ctx, migrate.ScanOptions{Prefix: o.Prefix, WithoutFlags: func(err error) {
		unread = true
		selection.WarnUnread(a.out, err)
	}})
	if err != nil {
		return nil, err
	}
	s := &survey{at: time.Now(), deep: o.deep, lines: make([]scanned, len(found)), totals: scanTotals{Threshold: o.threshold.Bytes, FlagsUnread: unread}}
	for i, f := range found {
		s.lines[i] = advise(f, o.threshold.Bytes)
		if unread && f.Place == migrate.PlaceStore {
			s.lines[i].Advice, s.lines[i].Reason = adviceMigrated, "by its fence alone: the flags could not be read"
		}
	}
	if o.deep {
		if err := a.lookDeep(ctx, e, s.lines, o.concurrency); err != nil {
			return nil, err
		}
	}
	if err := s.remember(ctx, past, o, e.Run); err != nil {
		return nil, err
	}
	for i := range s.lines {
		s.lines[i].insist(o.history.consistent, o.threshold.Bytes)
		s.totals.add(s.lines[i])
	}
	s.trend.crossing = s.totals.Crossing
	s.price(&o.traffic)
	return s, nil
}
