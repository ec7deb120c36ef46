package main

import (
	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/runs"
)

type runsOptions struct{ limit int }

func newRuns(a *app) *cobra.Command {
	var o runsOptions
	cmd := &cobra.Command{
		Use:   "runs",
		Short: "List what was run, who ran it, and how it ended",
		Long: "List the run records of this bucket, the newest first: of every machine, from their copies in R2, and of this machine also those\n" +
			"that could not be copied, and those of verify.\n\n" +
			"A record without an end is \"running\" while it is renewed, every few minutes, and \"no-end-seen\" later: the command was killed,\n" +
			"or cut off from the bucket. Run the same command again to go on; `dbmigrate status --run ID` says where its users are now.",
		Example: "  dbmigrate runs\n" +
			"  dbmigrate runs --limit 100 --output json | jq -r 'select(.state==\"no-end-seen\").run'\n" +
			"  dbmigrate status --run 20261126T040000Z-9f3c21aa",
		Annotations: manual{
			reads:   "the run records in R2 under .dbmigrate/runs/, and those of this machine",
			changes: "nothing",
			exits:   []int{exitDone, exitUsage, exitInterrupted},
		}.annotations(),
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.runs(cmd, &o) },
	}
	cmd.Flags().IntVar(&o.limit, "limit", 20, "how many are listed at most")
	return cmd
}

func (a *app) runs(cmd *cobra.Command, o *runsOptions) error {
	if o.limit < 1 {
		return usageError("read --limit", "", "it is less than 1", "")
	}
	source := a.source(cmd)
	c, err := source.Config()
	if err != nil {
		return err
	}
	place, err := source.Records(c)
	if err != nil {
		return err
	}
	found, err := place.List(cmd.Context(), o.limit, func(err error) { a.out.Warn("%v", err) })
	if err != nil {
		return err
	}
	return runs.Print(a.out, found)
}
