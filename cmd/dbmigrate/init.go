package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/commandline"
	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/initialize"
	"github.com/dbmigrate/dbmigrate/internal/units"
)

func newInit(a *app) *cobra.Command {
	var force, worker, write bool
	cmd := described("init", func(cmd *cobra.Command, _ []string) error {
		switch {
		case worker && force && !write:
			return usageError("--worker --force requires --write", "", "", "--force replaces what is there, and --worker only prints")
		case write:
			return a.writeWorker(cmd, force)
		case worker:
			return a.initWorker(cmd)
		}
		return a.init(cmd, force)
	})
	cmd.Args = commandline.NoArguments
	cmd.Flags().BoolVar(&force, "force", false,
		"replace settings that stand there already; comments of yours in the file are lost then")
	cmd.Flags().BoolVar(&worker, "worker", false, "print what the Worker lacks, and write nothing without --write")
	cmd.Flags().BoolVar(&write, "write", false, "add it to the wrangler file and to a module; requires --worker")
	return cmd
}

func (a *app) initWorker(cmd *cobra.Command) error {
	in, err := a.source(cmd).Input()
	if err != nil {
		return err
	}
	text, err := initialize.Worker(in)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(a.results, text)
	return err
}

func (a *app) writeWorker(cmd *cobra.Command, force bool) error {
	in, err := a.source(cmd).Input()
	if err != nil {
		return err
	}
	w, err := initialize.WriteWorker(in, force)
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
	_, err = fmt.Fprint(a.results, w.Code)
	return err
}

func (a *app) init(cmd *cobra.Command, force bool) error {
	in, err := a.source(cmd).Input()
	if err != nil {
		return err
	}
	s, err := initialize.Write(cmd.Context(), in, a.prompt(), force)
	if err != nil {
		return err
	}
	next := "dbmigrate doctor"
	if in.Profile != "" {
		next += " --profile " + in.Profile
	}
	a.out.Say(
		"init: wrote %s: account %s, bucket %s, KV namespace %s, Worker %s; now set the secrets and run %s",
		config.OwnName,
		s.AccountID,
		s.Bucket,
		s.KVNamespace,
		s.WorkerURL,
		next,
	)
	return nil
}
