package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// addWhole adds the flags that every command over users has, addParts those that divide a fleet, addNarrow
// those that take a share of it, and addTimes those that choose by the time of the move.
func addWhole(o *selection.Options, flags *pflag.FlagSet) {
	addAll(o, flags, "every user that the bucket holds")
	addListed(o, flags)
}

func addAll(o *selection.Options, flags *pflag.FlagSet, usage string) {
	o.Ways = append(o.Ways, "all")
	flags.BoolVar(&o.All, "all", false, usage)
}

// addListed is for commands that mean everybody without being told so.
func addListed(o *selection.Options, flags *pflag.FlagSet) {
	addUsersFile(o, flags)
	flags.StringVar(&o.Prefix, "prefix", "", "only users with an id that begins with this `text`")
}

func addUsersFile(o *selection.Options, flags *pflag.FlagSet) {
	o.Ways = append(o.Ways, "users-file")
	flags.StringVar(&o.UsersFile, "users-file", "",
		"`file` with one user id a line; \"-\" is standard input, # begins a comment")
}

func addParts(o *selection.Options, flags *pflag.FlagSet) {
	flags.StringArrayVar(&o.Exclude, "exclude", nil,
		"skip this `user`, or every user in a file (write the path with a slash; \"-\" is standard input); repeatable")
	flags.StringVar(&o.Shard, "shard", "",
		"only this `part` of the users, such as 3/16 for the third of sixteen; auto: as the CI system or Kubernetes says")
}

func addNarrow(o *selection.Options, flags *pflag.FlagSet) {
	o.Ways = append(o.Ways, "over")
	flags.Var(&o.Over, "over",
		"only users with a file of at least this size; 1MB is 1,000,000 bytes, 1MiB is 1,048,576")
	flags.Var(&o.Percent, "percent",
		"only this share of all users, always the same ones: those in 5 percent are in 10 percent, too")
}

func addTimes(o *selection.Options, flags *pflag.FlagSet) {
	o.Ways = append(o.Ways, "run", "since", "to-percent")
	flags.StringVar(&o.Run, "run", "", "only users moved by this `run` of migrate")
	flags.Var(&o.Since, "since", "only users who were migrated within this time; w, d, h, m, s")
	flags.Var(&o.ToPercent, "to-percent",
		"keep the users that migrate --percent N selects; roll back all others")
}

// mayBeEmpty are the flags of text with an empty value that means something: wrangler's top level, no
// reason, and no history.
var mayBeEmpty = []string{"env", "reason", "history"}

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

// valueForRecords leaves out which users are excluded, deleted, discarded, or restored from which file. The
// plan that gc confirms names no user.
func valueForRecords(cmd *cobra.Command, f *pflag.Flag) string {
	names := f.Name == "confirm" && cmd.Name() != "gc" || f.Name == "from"
	if f.Name == "exclude" || names {
		return "(given)"
	}
	return f.Value.String()
}

// whereFlags are those of a command that say where everything is: another command about its users needs them,
// too.
func whereFlags(command []string) []string {
	var where []string
	for _, word := range command {
		name, value, isFlag := strings.Cut(strings.TrimPrefix(word, "--"), "=")
		if isFlag && (slices.Contains(addressFlags, name) || slices.Contains([]string{"config", "env", "profile"}, name)) {
			where = append(where, "--"+name, userdb.ShellWord(value))
		}
	}
	return where
}
