package helptext

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Widest is the width up to which a line is read with ease, and that of help which goes to no terminal.
const Widest = 110

// noteTopic marks the flags that a topic explains in place of each command.
const noteTopic = "topic"

// OfTopic leaves flags out of the help of commands: FlagsOfTopic has them.
func OfTopic(flags *pflag.FlagSet, names []string) {
	for _, name := range names {
		_ = flags.SetAnnotation(name, noteTopic, nil) // it is there
	}
}

// FlagsOfTopic is the list of the flags that a topic explains.
func FlagsOfTopic(flags *pflag.FlagSet) string {
	return strings.TrimRight(flagList(flags, Widest, ofTopic), "\n")
}

func ofTopic(f *pflag.Flag) bool {
	_, marked := f.Annotations[noteTopic]
	return marked
}

// Compose writes purpose, usage, examples, effects, flags and, last, the exit codes.
func Compose(w io.Writer, cmd *cobra.Command, width int) {
	if cmd.IsAdditionalHelpTopicCommand() {
		fmt.Fprintln(w, cmd.Long)
		return
	}
	purpose := cmd.Long
	if purpose == "" {
		purpose = cmd.Short
	}
	fmt.Fprintf(w, "%s\n\nUsage:\n  %s\n", strings.TrimSpace(purpose), usageLine(cmd))
	// --help everybody knows, and addresses a topic explains.
	shown := func(f *pflag.Flag) bool { return f.Name != "help" && !f.Hidden && !ofTopic(f) }
	for _, group := range cmd.Groups() {
		section(w, group.Title, commandList(cmd, group.ID))
	}
	section(w, "Examples", cmd.Example)
	section(w, "Effects", Effects(cmd))
	section(w, "Options", flagList(cmd.NonInheritedFlags(), width, shown))
	section(w, "Global options", flagList(cmd.InheritedFlags(), width, shown))
	section(w, "Topics", topicList(cmd.Root()))
	section(w, "Exit codes", ExitCodes(cmd))
}

func usageLine(cmd *cobra.Command) string {
	if cmd.HasAvailableSubCommands() {
		return cmd.CommandPath() + " COMMAND [options]"
	}
	return strings.Replace(cmd.UseLine(), "[flags]", "[options]", 1) // a flag is in KV (docs/glossary.md)
}

func section(w io.Writer, title, text string) {
	if text = strings.Trim(text, "\n"); text != "" {
		fmt.Fprintf(w, "\n%s:\n%s\n", title, text)
	}
}

// topicList says where help goes on.
func topicList(root *cobra.Command) string {
	var b strings.Builder
	for _, c := range root.Commands() {
		if c.IsAdditionalHelpTopicCommand() && c.Long != "" {
			fmt.Fprintf(&b, "  dbmigrate help %s  %s\n", c.Name(), c.Short)
		}
	}
	return b.String()
}

func commandList(cmd *cobra.Command, group string) string {
	var b strings.Builder
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() && c.GroupID == group {
			fmt.Fprintf(&b, "  %-*s  %s\n", cmd.Commands()[0].NamePadding(), c.Name(), c.Short)
		}
	}
	return b.String()
}

func flagList(flags *pflag.FlagSet, width int, shown func(*pflag.Flag) bool) string {
	list := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.VisitAll(func(f *pflag.Flag) {
		if shown(f) {
			list.AddFlag(f)
		}
	})
	return list.FlagUsagesWrapped(width)
}
