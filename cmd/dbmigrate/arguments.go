package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/nearest"
)

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return surplus(args[0], cmd.CommandPath()+" takes no arguments", "see "+cmd.CommandPath()+" --help")
}

// oneArgument is for commands with a single one: what it is, and an example of it.
func oneArgument(what, such string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return usageError(cmd.Name()+" needs "+what, "", "", such)
		case 1:
			return nil
		}
		return surplus(args[1], cmd.CommandPath()+" takes one argument, "+what, such)
	}
}

func surplus(argument, takes, hint string) error {
	return usageError("read arguments", strconv.Quote(argument), takes, hint)
}

// offerHelp makes a topic that is no command an error: help of something else is no help.
func offerHelp(root *cobra.Command) {
	root.InitDefaultHelpCmd()
	for _, c := range root.Commands() {
		if c.Name() == "help" {
			c.Args = func(_ *cobra.Command, args []string) error {
				if _, rest, err := root.Find(args); err != nil || len(rest) > 0 {
					return knownCommand(root, append(rest, args...))
				}
				return nil
			}
		}
	}
}

// flagError says what is wrong with a flag, and names the one that was probably meant.
func flagError(cmd *cobra.Command, err error) error {
	help := "see " + cmd.CommandPath() + " --help"
	var unknown *pflag.NotExistError
	var needy *pflag.ValueRequiredError
	var invalid *pflag.InvalidValueError
	switch {
	case errors.Is(err, pflag.ErrHelp):
		return err
	case errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() != "":
		return usageError("unknown flag -"+unknown.GetSpecifiedName(), "", "", help)
	case errors.As(err, &unknown):
		name := "--" + unknown.GetSpecifiedName()
		return usageError("unknown flag "+name, "", "", nearest.Or(name, flagNames(cmd), help))
	case errors.As(err, &needy):
		name := needy.GetFlag().Name
		return usageError("read --"+name, "", "it has no value", "write --"+name+" "+placeholder(needy.GetFlag())+"; "+help)
	case errors.As(err, &invalid):
		return usageError("read --"+invalid.GetFlag().Name, "", wrongValue(invalid), help)
	}
	return usageError("read flags", "", err.Error(), help)
}

// placeholder is how help writes a flag's value.
func placeholder(f *pflag.Flag) string {
	name, _ := pflag.UnquoteUsage(f)
	return name
}

// wrongValue says it without the words of the parsers that Go has.
func wrongValue(invalid *pflag.InvalidValueError) string {
	var number *strconv.NumError
	cause := errors.Unwrap(invalid)
	switch kind := invalid.GetFlag().Value.Type(); {
	case kind == "bool":
		return fmt.Sprintf("%q is neither true nor false", invalid.GetValue())
	case errors.As(cause, &number) && errors.Is(number, strconv.ErrRange):
		return fmt.Sprintf("%q is too large", invalid.GetValue())
	case errors.As(cause, &number):
		return fmt.Sprintf("%q is no number", invalid.GetValue())
	case cause != nil:
		return cause.Error()
	}
	return invalid.Error()
}

func flagNames(cmd *cobra.Command) []string {
	var names []string
	add := func(f *pflag.Flag) { names = append(names, "--"+f.Name) }
	cmd.LocalFlags().VisitAll(add)
	cmd.InheritedFlags().VisitAll(add)
	return names
}
