package main

import (
	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/commandline"
	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/selftest"
)

func newSelftest(a *app) *cobra.Command {
	var o selftest.Options
	cmd := described("selftest", func(cmd *cobra.Command, _ []string) error { return a.selftest(cmd, o) })
	cmd.Args = commandline.NoArguments
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
