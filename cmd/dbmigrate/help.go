package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/helptext"
	"github.com/dbmigrate/dbmigrate/internal/prompt"
)

// manual is what every command's help says beside its flags.
type manual struct {
	reads, changes, undo string
	exits                []int
}

// The annotations under which a manual travels with its command.
const (
	noteReads   = "reads"
	noteChanges = "changes"
	noteUndo    = "undo"
	noteExits   = "exits"
)

func (m manual) annotations() map[string]string {
	var exits []string
	for _, code := range m.exits {
		exits = append(exits, fmt.Sprintf("  %3d  %s", code, exitMeanings[code]))
	}
	return map[string]string{
		noteReads:   m.reads,
		noteChanges: m.changes,
		noteUndo:    m.undo,
		noteExits:   strings.Join(exits, "\n"),
	}
}

// widestHelp is the width up to which a line is read with ease, and that of help which goes to no terminal.
const widestHelp = 110

// helpWidth is the width of the terminal at w, less its last column; 0: there is none.
func helpWidth(w io.Writer) int {
	f, isFile := w.(*os.File)
	if !isFile || !prompt.IsTerminal(f) {
		return 0
	}
	return min(max(prompt.Size(f).Columns-1, 40), widestHelp)
}

// writeHelp prints purpose, usage, examples, effects, flags and, last, the exit codes, as wide as the
// terminal.
func writeHelp(cmd *cobra.Command) {
	w := cmd.OutOrStdout()
	width := helpWidth(w)
	var b strings.Builder
	composeHelp(&b, cmd, cmp.Or(width, widestHelp))
	_, _ = io.WriteString(w, helptext.Fit(b.String(), width)) // a reader who has gone needs no help
}

func composeHelp(w io.Writer, cmd *cobra.Command, width int) {
	purpose := cmd.Long
	if purpose == "" {
		purpose = cmd.Short
	}
	if cmd.IsAdditionalHelpTopicCommand() {
		fmt.Fprintln(w, purpose)
		return
	}
	fmt.Fprintf(w, "%s\n\nUsage:\n  %s\n", strings.TrimSpace(purpose), usageLine(cmd))
	section(w, "Commands", commandList(cmd))
	section(w, "Examples", cmd.Example)
	section(w, "Effects", effects(cmd))
	section(w, "Flags", flagList(cmd.NonInheritedFlags(), width))
	section(w, "Global flags", flagList(cmd.InheritedFlags(), width))
	section(w, "Topics", topicList(cmd.Root()))
	section(w, "Exit codes", exitList(cmd))
}

// exitList is a command's own exit codes, or all of them for the root.
func exitList(cmd *cobra.Command) string {
	if cmd.HasParent() {
		return cmd.Annotations[noteExits]
	}
	return manual{exits: []int{exitDone, exitFailed, exitUsage, exitDifferent, exitInterrupted}}.annotations()[noteExits]
}

func usageLine(cmd *cobra.Command) string {
	if cmd.HasAvailableSubCommands() {
		return cmd.CommandPath() + " COMMAND [flags]"
	}
	return cmd.UseLine()
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

func commandList(cmd *cobra.Command) string {
	var b strings.Builder
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			fmt.Fprintf(&b, "  %-*s  %s\n", cmd.Commands()[0].NamePadding(), c.Name(), c.Short)
		}
	}
	return b.String()
}

func effects(cmd *cobra.Command) string {
	var b strings.Builder
	for _, name := range []string{noteReads, noteChanges, noteUndo} {
		if text := cmd.Annotations[name]; text != "" {
			fmt.Fprintf(&b, "  %-8s %s\n", name+":", strings.ReplaceAll(text, "\n", "\n           "))
		}
	}
	return b.String()
}

// flagList leaves out --help, which everybody knows, and addresses, which a topic explains.
func flagList(flags *pflag.FlagSet, width int) string {
	shown := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.VisitAll(func(f *pflag.Flag) {
		if !slices.Contains([]string{"help"}, f.Name) && !f.Hidden && !isAddress(f) {
			shown.AddFlag(f)
		}
	})
	return shown.FlagUsagesWrapped(width)
}

// confirmUsage is the one meaning of --confirm.
const confirmUsage = "do exactly what the same command printed before; it printed this `text`, too"

// orYes is behind it where nothing is lost, so that --yes does as well.
const orYes = " (or --yes)"

// topicConnection is the help topic about flags that only set an address; it marks them, too.
const topicConnection = "connection"

// addressFlags are in the help of the topic, and of no command.
var addressFlags = []string{
	"worker-url",
	"bucket",
	"kv-namespace",
	"account-id",
	"layout",
	"location-hint",
	"r2-jurisdiction",
	"r2-endpoint",
	"api-base-url",
}

// newConnectionTopic is a help topic: it cannot be run.
func newConnectionTopic(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   topicConnection,
		Short: "Flags and environment variables that say where everything is, and who you are",
		Long: "Every command takes these flags. dbmigrate reads flags, then the environment, then dbmigrate.toml (dbmigrate init\n" +
			"writes it), then the wrangler configuration from here upward. `dbmigrate doctor` shows what it found.\n\n" +
			"Flags:\n" + strings.TrimRight(
			addressFlagList(root.PersistentFlags()),
			"\n",
		) + "\n\n" +
			"Environment:\n" +
			"  DBMIGRATE_WORKER_URL, DBMIGRATE_BUCKET, DBMIGRATE_KV_NAMESPACE, CLOUDFLARE_ACCOUNT_ID, DBMIGRATE_LAYOUT,\n" +
			"  DBMIGRATE_LOCATION_HINT, DBMIGRATE_R2_JURISDICTION, AWS_ENDPOINT_URL_S3, CLOUDFLARE_API_BASE_URL\n" +
			"                     the same as the flags\n" +
			"  CLOUDFLARE_ENV     the same as --env; DBMIGRATE_PROFILE is the same as --profile\n" +
			"  DBMIGRATE_TOKEN    the Worker's admin secret\n" +
			"  CLOUDFLARE_API_TOKEN\n" +
			"                     for the flags in KV\n" +
			"  R2_ACCESS_KEY_ID, R2_SECRET_ACCESS_KEY\n" +
			"                     for the bucket; AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY do, too, with AWS_SESSION_TOKEN\n" +
			"  CLOUDFLARE_ACCESS_CLIENT_ID, CLOUDFLARE_ACCESS_CLIENT_SECRET\n" +
			"                     where the Worker is behind Cloudflare Access",
	}
}

func isAddress(f *pflag.Flag) bool {
	_, marked := f.Annotations[topicConnection]
	return marked
}

func addressFlagList(flags *pflag.FlagSet) string {
	shown := pflag.NewFlagSet("", pflag.ContinueOnError)
	flags.VisitAll(func(f *pflag.Flag) {
		if isAddress(f) {
			shown.AddFlag(f)
		}
	})
	return shown.FlagUsagesWrapped(widestHelp)
}
