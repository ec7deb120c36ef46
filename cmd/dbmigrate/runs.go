package main

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/commandline"
	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/internal/runpage"
	"github.com/dbmigrate/dbmigrate/internal/runs"
	"github.com/dbmigrate/dbmigrate/internal/status"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

type runsOptions struct {
	limit    int
	report   string
	file     string
	requests string
}

func newRuns(a *app) *cobra.Command {
	var o runsOptions
	cmd := described("runs", func(cmd *cobra.Command, _ []string) error { return looked(a.runs(cmd, &o)) })
	cmd.Args = noRunNamed
	commandline.Int(cmd.Flags(), &o.limit, "limit", 20, 1, math.MaxInt, "how many are listed at most")
	cmd.Flags().StringVar(&o.report, "report", "", "write a page about the run with this `id`, which needs no network")
	cmd.Flags().StringVar(&o.file, "to", "", "with --report: the `file` of the page (default run-ID.html)")
	cmd.Flags().StringVar(&o.requests, "requests", "",
		"with --report: `file` with JSON lines of a router's observer, to compare requests before and after (docs/mount.md)")
	return cmd
}

// noRunNamed points those who name a run to the commands about one.
func noRunNamed(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return commandline.Surplus(args[0], cmd.CommandPath()+" takes no arguments",
		"for one run: `dbmigrate status --run ID`, or `dbmigrate runs --report ID`")
}

func (a *app) runs(cmd *cobra.Command, o *runsOptions) error {
	a.listing()
	source := a.source(cmd)
	c, err := source.Config()
	if err != nil {
		return err
	}
	place, err := source.Records(c)
	if err != nil {
		return err
	}
	if o.report != "" {
		return a.runPage(cmd.Context(), runpage.Page{Place: place, Run: o.report, Bucket: c.Bucket, Requests: o.requests},
			cmp.Or(o.file, "run-"+o.report+".html"))
	}
	bucketUnread := false
	found, err := place.List(cmd.Context(), o.limit, func(err error) {
		var unlisted *record.Unlisted
		bucketUnread = bucketUnread || errors.As(err, &unlisted)
		a.out.Warn("%v", err)
	})
	if err != nil {
		return err
	}
	if err := runs.Print(a.out, found, bucketUnread); err != nil {
		return err
	}
	a.sayWhereNow(cmd.Context(), source, c, found)
	return nil
}

const (
	// askedByRuns is how many users in flight runs asks about, and runsPatience for how long.
	askedByRuns  = 20
	runsPatience = 4 * time.Second
)

// sayWhereNow says what became of users who were in flight in runs without an end. The list does without it
// where no Worker is configured, or where it does not answer soon.
func (a *app) sayWhereNow(ctx context.Context, source *connect.Source, c config.Config, found []record.Run) {
	var users []userdb.UserID
	for _, r := range found {
		for _, u := range r.InFlight() {
			if len(users) < askedByRuns && !slices.Contains(users, u) {
				users = append(users, u)
			}
		}
	}
	if len(users) == 0 || c.Need(config.KV) != nil || c.Need(config.Worker) != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, runsPatience)
	defer cancel()
	where, unasked := []string(nil), len(users)
	if connected, err := source.All(ctx, connect.Need{Concurrency: looksAtOnce}); err == nil {
		where, unasked = status.Few(ctx, connected.Engine, users)
	}
	for _, text := range where {
		a.out.Warn("%s", text)
	}
	if unasked > 0 {
		a.out.Warn("both sides could not be asked about %s", units.Plural(unasked, "user"))
	}
}

// runPage writes the page of a run, and says where.
func (a *app) runPage(ctx context.Context, page runpage.Page, path string) error {
	page.Version = version()
	if err := page.Write(ctx, path); err != nil {
		return err
	}
	a.out.Say("report: %s", path)
	a.out.StepSummaryPage(path)
	return nil
}

// reportFlag is --report of commands that run over users.
type reportFlag struct{ file string }

func (f *reportFlag) add(flags *pflag.FlagSet) {
	flags.StringVar(&f.file, "report", "", "write a page about the run to this HTML `file`, which needs no network")
}

// summed is the outcome of a run after its summary is written. Its page is written here; one that was asked
// for and cannot be written is a failure, and changes nothing of the users.
func (a *app) summed(cmd *cobra.Command, c *connect.Connection, f *reportFlag, s fleet.Summary, err error) error {
	unwritten := a.report(cmd, c, f, s.Users)
	if unwritten != nil {
		a.out.Warn("%v", unwritten)
	}
	if err = summed(s, err); err == nil && unwritten != nil {
		return ended(exitFailed)
	}
	return err
}

// report writes the page of the run that has just ended.
func (a *app) report(cmd *cobra.Command, c *connect.Connection, f *reportFlag, users int) error {
	if f.file == "" {
		return nil
	}
	if users == 0 {
		a.out.Warn("report: nobody was in the run: %s is not written", f.file)
		return nil
	}
	place, err := a.source(cmd).Records(c.Config)
	if err != nil {
		return err
	}
	page := runpage.Page{Place: place, Run: c.Engine.Run, Bucket: c.Config.Bucket}
	return a.runPage(context.WithoutCancel(cmd.Context()), page, f.file)
}
