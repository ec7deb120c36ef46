package main

import (
	"cmp"
	"embed"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/helptext"
	"github.com/dbmigrate/dbmigrate/internal/prompt"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
)

// pages has the help of each command, without its flags.
//
//go:embed help
var pages embed.FS

// described is a command with the page of its name.
func described(name string, run func(cmd *cobra.Command, args []string) error) *cobra.Command {
	page, err := pages.ReadFile("help/" + name + ".txt")
	if err != nil {
		panic(err) // the binary was built without it
	}
	cmd := helptext.Command(strings.TrimRight(string(page), "\n"), exitMeanings)
	cmd.RunE = run
	return cmd
}

// helpWidth is the width of the terminal at w, less its last column; 0: there is none.
func helpWidth(w io.Writer) int {
	if results, wrapped := w.(*terminal.Stdout); wrapped {
		w = results.Below()
	}
	f, isFile := w.(*os.File)
	if !isFile || !prompt.IsTerminal(f) {
		return 0
	}
	return min(max(prompt.Size(f).Columns-1, 40), helptext.Widest)
}

// writeHelp prints a command's help as wide as the terminal.
func writeHelp(cmd *cobra.Command) {
	w := cmd.OutOrStdout()
	width := helpWidth(w)
	var b strings.Builder
	helptext.Compose(&b, cmd, cmp.Or(width, helptext.Widest))
	_, _ = io.WriteString(w, helptext.Fit(b.String(), width)) // a reader who has gone needs no help
}

// confirmUsage is the one meaning of --confirm.
const confirmUsage = "confirm, with the exact `text` that the same command printed: do what it said, and nothing else"

// orYes is behind it where nothing is lost, so that --yes does as well.
const orYes = " (or --yes)"

// topicConnection is the help topic about flags that only set an address.
const topicConnection = "connection"

// addressFlags are in the help of the topic, and of no command.
var addressFlags = []string{
	"worker-url", "bucket", "kv-namespace", "account-id", "layout", "location-hint", "r2-jurisdiction", "r2-endpoint",
	"api-base-url",
}

// newConnectionTopic is a help topic: it cannot be run.
func newConnectionTopic(root *cobra.Command) *cobra.Command {
	topic := described(topicConnection, nil)
	topic.Long = strings.Replace(topic.Long, "{flags}", helptext.FlagsOfTopic(root.PersistentFlags()), 1)
	return topic
}
