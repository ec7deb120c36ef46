package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/units"
)

// commandLine is a command as it was given, for records: its flags with their values, which hold no secret
// (those come from the environment only), and how many users were named, not whom. The values that name users
// are left out, too.
func commandLine(cmd *cobra.Command, args []string) []string {
	line := []string{cmd.Name()}
	cmd.Flags().Visit(func(f *pflag.Flag) { line = append(line, "--"+f.Name+"="+valueForRecords(cmd, f)) })
	if len(args) > 0 {
		line = append(line, "("+units.Plural(len(args), "user")+" named)")
	}
	return line
}

// valueForRecords leaves out who is excluded, and whose writes were given up. The plan that gc confirms names
// nobody.
func valueForRecords(cmd *cobra.Command, f *pflag.Flag) string {
	if f.Name == "exclude" || f.Name == "confirm" && cmd.Name() == "rollback" {
		return "(given)"
	}
	return f.Value.String()
}
