package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/dev"
)

// devFlags are what dev adds to the Worker's configuration.
type devFlags struct {
	persist string
	vars    []string
	verbose bool
}

func newDev(a *app) *cobra.Command {
	var f devFlags
	cmd := &cobra.Command{
		Use:   "dev [flags] -- COMMAND [ARG...]",
		Short: "Rehearse on your own Worker, on this machine: run a command beside it",
		Long: "Start the Worker of this project under wrangler dev, with its R2 bucket over S3 and its KV namespace over the Cloudflare\n" +
			"API, all on this machine. Then run COMMAND with the variables that dbmigrate and S3 clients read, so that each finds the\n" +
			"local ones: COMMAND may put files, ask your Worker at $DBMIGRATE_WORKER_URL, and call dbmigrate. When it ends, everything\n" +
			"is stopped, and the exit code is COMMAND's. Nothing at Cloudflare is asked.\n\n" +
			"It needs wrangler 4.164 or later in the project. The local runtime has no jurisdictions.",
		Example: "  dbmigrate dev -- bash                        # a shell in which everything is local\n" +
			"  dbmigrate dev --env staging -- ./rehearse.sh # put files, migrate, test, roll back\n" +
			"  dbmigrate dev --persist .rehearsal -- dbmigrate status --all",
		Annotations: manual{
			reads:   "wrangler.json, .jsonc or .toml, from here upward, and .dev.vars beside it; nothing at Cloudflare",
			changes: "nothing that stays, but the folder of --persist; while it runs, a configuration beside yours",
			exits:   []int{exitDone, exitFailed, exitUsage},
		}.annotations(),
		Args: func(cmd *cobra.Command, args []string) error { return demandCommand(cmd, args) },
		RunE: func(cmd *cobra.Command, args []string) error { return a.dev(cmd, args, f) },
	}
	cmd.Flags().StringVar(&f.persist, "persist", "", "state `folder` to keep (default: a temporary one)")
	cmd.Flags().StringArrayVar(&f.vars, "var", nil, "variable of the Worker, as `NAME=value`; repeatable")
	cmd.Flags().BoolVar(&f.verbose, "verbose", false, "show wrangler's output on stderr")
	return cmd
}

// demandCommand keeps flags of the command from being taken for flags of dbmigrate.
func demandCommand(cmd *cobra.Command, args []string) error {
	if cmd.ArgsLenAtDash() == 0 && len(args) > 0 {
		return nil
	}
	return usageError("read arguments", "", "no command stands behind --", "such as dbmigrate dev -- bash")
}

func (a *app) dev(cmd *cobra.Command, command []string, f devFlags) error {
	in, err := a.source(cmd).Input()
	if err != nil {
		return err
	}
	options := dev.Options{PersistDir: f.persist, Vars: map[string]string{}, Errors: a.stderr}
	for _, text := range f.vars {
		name, value, found := strings.Cut(text, "=")
		if !found || name == "" {
			return usageError("read --var", "", "it is not NAME=value", "")
		}
		options.Vars[name] = value
	}
	if f.verbose {
		options.Log = a.stderr
	}
	code, err := dev.Run(cmd.Context(), in, command, options)
	if err != nil {
		return err
	}
	return ended(code)
}
