package main

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/units"
)

// commandLine is a command as it was given, for records: its flags with their values, and how many users were
// named. Values hold no secret, since secrets come from the environment only. It leaves out which users were
// named, and the values that name users.
func commandLine(cmd *cobra.Command, args []string) []string {
	line := []string{cmd.Name()}
	cmd.Flags().Visit(func(f *pflag.Flag) { line = append(line, "--"+f.Name+"="+valueForRecords(cmd, f)) })
	if len(args) > 0 {
		line = append(line, "("+units.Plural(len(args), "user")+" named)")
	}
	return line
}

// valueForRecords leaves out which users are excluded, and which users' writes are discarded. The plan that
// gc confirms names no user.
func valueForRecords(cmd *cobra.Command, f *pflag.Flag) string {
	if f.Name == "exclude" || f.Name == "confirm" && cmd.Name() == "rollback" {
		return "(given)"
	}
	return f.Value.String()
}
