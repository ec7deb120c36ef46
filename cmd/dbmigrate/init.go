package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/setup"
)

func newInit(a *app) *cobra.Command {
	var force, worker bool
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write dbmigrate.toml: which account, bucket, namespace and Worker",
		Long: "Write a small configuration file, dbmigrate.toml, from what the wrangler file of this project says, and ask at the terminal\n" +
			"for what it leaves open: which environment, which of several buckets, ids that wrangler makes on deploy. Nothing is\n" +
			"guessed; without a terminal, what is missing has to come from flags, or nothing is written.\n\n" +
			"The file holds no secrets, so it can be committed. --profile writes a part of it for one environment, and every other\n" +
			"command takes that part with --profile. Then say dbmigrate doctor.\n\n" +
			"--worker writes no file. It prints what the Worker of this project lacks: bindings, the migration with its tag, and\n" +
			"the code that mounts the package.",
		Example: "  dbmigrate init\n" +
			"  dbmigrate init --env production --profile production --worker-url https://app.example.com --location-hint weur\n" +
			"  dbmigrate init --worker\n" +
			"  dbmigrate init --account-id 0123 --bucket users --kv-namespace abcd --worker-url https://app.example.com",
		Annotations: manual{
			reads:   "wrangler.json, .jsonc or .toml, from here upward; nothing at Cloudflare",
			changes: "dbmigrate.toml in this folder",
			undo:    "delete the file, or the profile's part of it",
			exits:   []int{exitDone, exitUsage, exitInterrupted},
		}.annotations(),
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if worker && force {
				return usageError("read flags", "", "--worker writes nothing, and --force replaces settings", "use only one of them")
			}
			if worker {
				return a.initWorker(cmd)
			}
			return a.init(cmd, force)
		},
	}
	cmd.Flags().
		BoolVar(&force, "force", false, "replace settings that stand there already; comments of yours in the file are lost then")
	cmd.Flags().BoolVar(&worker, "worker", false, "print what the Worker lacks, and write nothing")
	return cmd
}

func (a *app) initWorker(cmd *cobra.Command) error {
	in, err := a.source(cmd).Input()
	if err != nil {
		return err
	}
	text, err := setup.Worker(in)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(a.stdout, text)
	return err
}

func (a *app) init(cmd *cobra.Command, force bool) error {
	in, err := a.source(cmd).Input()
	if err != nil {
		return err
	}
	s, err := setup.Write(cmd.Context(), in, a.prompt(), force)
	if err != nil {
		return err
	}
	next := "dbmigrate doctor"
	if in.Profile != "" {
		next += " --profile " + in.Profile
	}
	a.out.Say(
		"init: wrote %s: account %s, bucket %s, KV namespace %s, Worker %s; now set the secrets and say %s",
		config.OwnName,
		s.AccountID,
		s.Bucket,
		s.KVNamespace,
		s.WorkerURL,
		next,
	)
	return nil
}
