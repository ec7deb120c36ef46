package main

import (
	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/selftest"
)

func newSelftest(a *app) *cobra.Command {
	var o selftest.Options
	cmd := &cobra.Command{
		Use:   "selftest",
		Short: "Try on this account what dbmigrate needs of the platform",
		Long: "Try, on your own account, what dbmigrate needs of R2, Durable Objects and KV: first single promises (the probes), then\n" +
			"the whole life of a synthetic user with two writers: migrate, write, verify, roll back, write, migrate, gc, delete.\n\n" +
			"The user is dbmigrate-selftest. It leaves nothing behind, and what a killed selftest left, --clean or the next\n" +
			"one removes. Probes that cost money run on request only, and their price is told before they start. Put the\n" +
			"output into docs/production-log.md.",
		Example: "  dbmigrate selftest\n" +
			"  dbmigrate selftest --probes P9,P11\n" +
			"  dbmigrate selftest --output json > selftest.jsonl",
		Annotations: manual{
			reads:   "the Worker's version; what the probes wrote",
			changes: "objects under .dbmigrate/selftest/, the file, the flag and the Durable Object of the user dbmigrate-selftest;\nall of them are deleted",
			undo:    "not needed; what a killed selftest left, --clean removes",
			exits:   []int{exitDone, exitFailed, exitUsage, exitInterrupted},
		}.annotations(),
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.selftest(cmd, o) },
	}
	cmd.Flags().StringSliceVar(&o.Probes, "probes", nil, "also these `probes`, which cost money or time, such as P9,P11")
	cmd.Flags().StringSliceVar(&o.Only, "only", nil, "only these `probes`, such as P1,P2")
	cmd.Flags().BoolVar(&o.Clean, "clean", false, "try nothing, and remove what a killed selftest left")
	cmd.Flags().BoolVar(&o.All, "all", false, "also every probe that costs money or time")
	return cmd
}

func (a *app) selftest(cmd *cobra.Command, o selftest.Options) error {
	if err := o.Check(); err != nil {
		return err
	}
	c, err := a.source(cmd).All(cmd.Context(), connect.Need{Concurrency: 1, Why: connect.FillsObjects})
	if err != nil {
		return err
	}
	if c.Unplaced != nil {
		return c.Unplaced
	}
	o.Prices(a.out.Say)
	failed, err := selftest.Run(cmd.Context(), c, o, a.out)
	if err == nil && failed > 0 {
		return ended(exitFailed)
	}
	return err
}
