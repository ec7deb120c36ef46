package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/commandline"
	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/doctor"
	"github.com/dbmigrate/dbmigrate/internal/units"
)

type doctorOptions struct {
	writes bool
	hellos int
	object string
	watch  units.AgeFlag
}

func newDoctor(a *app) *cobra.Command {
	var o doctorOptions
	cmd := described("doctor", func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd, &o) })
	cmd.Args = commandline.NoArguments
	cmd.Flags().BoolVar(&o.writes, "probe-writes", false, "write and delete a probe in R2 and in KV")
	commandline.Int(cmd.Flags(), &o.hellos, "hellos", 5, 1, 100, "how often the Worker is asked which version it is")
	cmd.Flags().StringVar(&o.object, "objects", "",
		"list all Durable Objects, and name those of no user; with an `id` or class where the account has several namespaces")
	cmd.Flags().Lookup("objects").NoOptDefVal = doctor.AnyNamespace
	cmd.Flags().Var(&o.watch, "watch", "look again after this `time`, such as 30s, until Ctrl-C; say what changes")
	return cmd
}

// shortestWatch keeps a forgotten doctor from being a load.
const shortestWatch = time.Second

func (a *app) doctor(cmd *cobra.Command, o *doctorOptions) error {
	if o.watch.Typed != "" && o.watch.Duration < shortestWatch {
		return usageError("--watch must be at least 1s, not "+o.watch.Typed, "", "", "")
	}
	c, err := a.source(cmd).Config()
	if err != nil {
		return err
	}
	opts := doctor.Options{Writes: o.writes, Version: version(), Hellos: o.hellos, Objects: o.object, Scratch: a.scratch.Path}
	failed, err := a.examine(cmd.Context(), c, opts, o.watch)
	if err != nil || failed == 0 {
		return err
	}
	return ended(exitUsage)
}

func (a *app) examine(
	ctx context.Context,
	c config.Config,
	opts doctor.Options,
	watch units.AgeFlag,
) (failed int, err error) {
	if watch.Typed != "" {
		return doctor.Watch(ctx, c, opts, watch.Duration, a.out)
	}
	findings, err := doctor.Look(ctx, c, opts)
	if err != nil {
		return 0, err
	}
	return doctor.Print(a.out, findings)
}
