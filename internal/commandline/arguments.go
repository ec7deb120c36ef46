// Package commandline says what is wrong with a command line, in plain words.
package commandline

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/suggest"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// NoArguments is for commands that take none.
func NoArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return Surplus(args[0], cmd.CommandPath()+" takes no arguments", "see "+cmd.CommandPath()+" --help")
}

// OneArgument is for commands with a single one: what it is, and an example of it.
func OneArgument(what, such string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return userdb.UsageError(cmd.Name()+" needs "+what, "", "", such)
		case 1:
			return nil
		}
		return Surplus(args[1], cmd.CommandPath()+" takes one argument, "+what, such)
	}
}

// Surplus refuses an argument too many.
func Surplus(argument, takes, hint string) error {
	return userdb.UsageError("unexpected argument", strconv.Quote(argument), takes, hint)
}

// OfferHelp makes a topic that is no command an error: help of something else is no help.
func OfferHelp(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	for _, c := range root.Commands() {
		if c.Name() == "help" {
			c.Args = func(_ *cobra.Command, args []string) error {
				if _, rest, err := root.Find(args); err != nil || len(rest) > 0 {
					return KnownCommand(root, append(rest, args...))
				}
				return nil
			}
		}
	}
}

// FlagError says what is wrong with a flag, and names the one that was probably meant.
func FlagError(cmd *cobra.Command, err error) error {
	help := "see " + cmd.CommandPath() + " --help"
	var unknown *pflag.NotExistError
	var needy *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return err
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		return userdb.UsageError("unknown flag -"+unknown.GetSpecifiedName(), "", "", help)
	case errors.As(err, &unknown):
		name := "--" + unknown.GetSpecifiedName()
		return userdb.UsageError("unknown flag "+name, "", "", suggest.Or(name, FlagNames(cmd), help))
	case errors.As(err, &needy):
		name := needy.GetFlag().Name
		return userdb.UsageError("--"+name+" requires a value", "", "", "pass --"+name+" "+placeholder(needy.GetFlag())+"; "+help)
	case errors.As(err, &invalid):
		name := "--" + invalid.GetFlag().Name
		if wrong := wrongValue(invalid); strings.HasPrefix(wrong, "must ") {
			return userdb.UsageError(name+" "+wrong, "", "", help)
		}
		return userdb.UsageError("read "+name, "", wrongValue(invalid), help)
	}
	return userdb.UsageError("read flags", "", err.Error(), help)
}

// placeholder is how help writes a flag's value.
func placeholder(f *pflag.Flag) string {
	name, _ := pflag.UnquoteUsage(f)
	return name
}

// wrongValue says it without the words of the parsers that Go has.
func wrongValue(invalid *pflag.InvalidValueError) string {
	cause := errors.Unwrap(invalid)
	switch kind := invalid.GetFlag().Value.Type(); {
	case kind == "bool":
		return fmt.Sprintf("must be true or false, not %q", invalid.GetValue())
	case cause != nil:
		return cause.Error()
	}
	return invalid.Error()
}

// FlagNames are the flags that a command takes, as they are typed.
func FlagNames(cmd *cobra.Command) []string {
	var names []string
	add := func(f *pflag.Flag) { names = append(names, "--"+f.Name) }
	cmd.LocalFlags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	return names
}

// KnownCommand refuses what is no command, in one line.
func KnownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range root.Commands() {
		names = append(names, c.Name())
	}
	return userdb.UsageError(fmt.Sprintf("unknown command %q", args[0]), "", "", suggest.Or(args[0], names, "see dbmigrate --help"))
}

// isEmpty is about texts and lists of texts: every other kind of value has a parser that refuses nothing.
func isEmpty(v pflag.Value) bool {
	return v.Type() == "string" && v.String() == "" || v.Type() == "stringSlice" && v.String() == "[]"
}

// RefuseEmpty refuses a flag of text that was given without a value, as by a script with a variable that is
// not set: more users could be chosen, or another thing done, than was meant.
func RefuseEmpty(flags *pflag.FlagSet, but []string) error {
	var empty error
	flags.Visit(func(f *pflag.Flag) {
		if isEmpty(f.Value) && !slices.Contains(but, f.Name) {
			empty = cmp.Or(empty, userdb.UsageError(
				"read --"+f.Name,
				"",
				"its value is empty, which could mean more users, or another thing, than was meant",
				"give a value, or leave the flag out; is a variable not set?",
			))
		}
	})
	return empty
}
