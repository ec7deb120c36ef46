package main

import (
	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/doctor"
)

func newDoctor(a *app) *cobra.Command {
	var writes bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check that everything can be reached and used",
		Long: "Check R2, KV and the Worker by the smallest harmless request each, and say for each fault how to fix it, with the name of\n" +
			"the permission at Cloudflare. Whether a token may write shows only when something is written: --probe-writes writes an\n" +
			"object under .dbmigrate/probe/ and a key that begins with dbmigrate-probe:, and deletes both at once.",
		Example: "  dbmigrate doctor\n" +
			"  dbmigrate doctor --profile production --probe-writes\n" +
			"  dbmigrate doctor --output json | jq 'select(.ok==false)'",
		Annotations: manual{
			reads:   "one key of a listing in R2 and that object's first byte, a few keys of a listing in KV;\nthe Worker's version, limits, layout and clock; one Durable Object that stores nothing answers SELECT 1",
			changes: "nothing; with --probe-writes an object and a key of its own, which it deletes",
			exits:   []int{exitDone, exitUsage, exitInterrupted},
		}.annotations(),
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.doctor(cmd, writes) },
	}
	cmd.Flags().BoolVar(&writes, "probe-writes", false, "write and delete a probe in R2 and in KV")
	return cmd
}

func (a *app) doctor(cmd *cobra.Command, writes bool) error {
	c, err := a.source(cmd).Config()
	if err != nil {
		return err
	}
	findings, err := doctor.Look(cmd.Context(), c, doctor.Options{Writes: writes, Version: version()})
	if err != nil {
		return err
	}
	failed, err := doctor.Print(a.out, findings)
	if err != nil || failed == 0 {
		return err
	}
	return ended(exitUsage)
}
