package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/setup"
	"github.com/dbmigrate/dbmigrate/internal/units"
)

func newInit(a *app) *cobra.Command {
	var force, worker, write bool
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Write dbmigrate.toml: which account, bucket, namespace and Worker",
		Long: "Write a small configuration file, dbmigrate.toml, from what the wrangler file of this project says, and ask at the terminal\n" +
			"for what it leaves open: which environment, which of several buckets, ids that wrangler makes on deploy. Nothing is\n" +
			"guessed; without a terminal, what is missing has to come from flags, or nothing is written.\n\n" +
			"The file holds no secrets, so it can be committed. --profile writes a part of it for one environment, and every other\n" +
			"command takes that part with --profile. Then say dbmigrate doctor.\n\n" +
			"--worker prints what the Worker of this project lacks: bindings, the migration with its tag, and the code that mounts\n" +
			"the package. With --write it adds the bindings and the migration to the wrangler file; every other line stays. It puts\n" +
			"the code into dbmigrate.ts or .js beside the module of the Worker, and prints the lines that are left to you.",
		Example: "  dbmigrate init\n" +
			"  dbmigrate init --env production --profile production --worker-url https://app.example.com --location-hint weur\n" +
			"  dbmigrate init --worker\n" +
			"  dbmigrate init --worker --write --bucket users\n" +
			"  dbmigrate init --account-id 0123 --bucket users --kv-namespace abcd --worker-url https://app.example.com",
		Annotations: manual{
			reads:   "wrangler.json, .jsonc or .toml, from here upward; nothing at Cloudflare",
			changes: "dbmigrate.toml in this folder; with --worker --write the wrangler file and dbmigrate.ts or .js instead",
			undo:    "delete the file, or the profile's part of it; of the wrangler file your version control has the old one",
			exits:   []int{exitDone, exitUsage, exitInterrupted},
		}.annotations(),
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case write && !worker:
				return usageError("read flags", "", "--write requires --worker", "")
			case worker && force && !write:
				return usageError("read flags", "", "--worker writes nothing without --write, and --force replaces what is there",
					"leave --force out")
			case write:
				return a.writeWorker(cmd, force)
			case worker:
				return a.initWorker(cmd)
			}
			return a.init(cmd, force)
		},
	}
	cmd.Flags().
		BoolVar(&force, "force", false, "replace settings that stand there already; comments of yours in the file are lost then")
	cmd.Flags().BoolVar(&worker, "worker", false, "print what the Worker lacks, and write nothing without --write")
	cmd.Flags().BoolVar(&write, "write", false, "add it to the wrangler file and to a module; requires --worker")
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

func (a *app) writeWorker(cmd *cobra.Command, force bool) error {
	in, err := a.source(cmd).Input()
	if err != nil {
		return err
	}
	w, err := setup.WriteWorker(in, force)
	if err != nil {
		return err
	}
	module, settings := "kept", "has all it needs"
	if w.Made {
		module = "wrote"
	}
	if w.Added > 0 {
		settings = "was given " + units.Plural(w.Added, "addition")
	}
	a.out.Say("init: %s %s; %s %s", module, w.Module, w.Config, settings)
	_, err = fmt.Fprint(a.stdout, w.Code)
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
