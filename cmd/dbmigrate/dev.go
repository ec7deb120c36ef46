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
	cmd := described("dev", func(cmd *cobra.Command, args []string) error { return a.dev(cmd, args, f) })
	cmd.Args = func(cmd *cobra.Command, args []string) error { return demandCommand(cmd, args) }
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
	return usageError("dev requires a command behind --", "", "", "such as dbmigrate dev -- bash")
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
