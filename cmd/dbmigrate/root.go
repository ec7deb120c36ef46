package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/commandline"
	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/helptext"
	"github.com/dbmigrate/dbmigrate/internal/suggest"
	"github.com/dbmigrate/dbmigrate/pkg/kv"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
)

// globalFlags are the flags of every command.
type globalFlags struct {
	format      string
	file        string
	environment string
	apiBudget   int
	profile     string
	values      config.Values

	json, quiet, verbose, debug, yes bool
}

func newRoot(a *app) *cobra.Command {
	root := described("dbmigrate", func(cmd *cobra.Command, _ []string) error { return noCommand(a, cmd) })
	root.SilenceUsage = true
	root.SilenceErrors = true
	root.Version = version()
	root.Args = func(cmd *cobra.Command, args []string) error { return commandline.KnownCommand(cmd, args) }
	root.PersistentPreRunE = func(cmd *cobra.Command, args []string) error {
		a.command = commandLine(cmd, args)
		if err := a.applyGlobal(cmd, args); err != nil {
			return err
		}
		a.feedBack(cmd)
		return nil
	}
	root.Flags().Bool("version", false, "print the version")
	root.SetVersionTemplate(describeVersion().text())
	a.global.add(root.PersistentFlags())
	root.SetOut(a.results)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(commandline.FlagError)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { writeHelp(cmd) })
	root.CompletionOptions.DisableDefaultCmd = true
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	root.AddCommand(
		newInit(a),
		newDev(a),
		newDoctor(a),
		newSelftest(a),
		newScan(a),
		newMigrate(a),
		newVerify(a),
		newRollback(a),
		newBackup(a),
		newRestore(a),
		newThaw(a),
		newGC(a),
		newForget(a),
		newStatus(a),
		newRuns(a),
		newHistory(a),
		newVersion(a),
		newCompletion(a),
		newMan(a),
		newConnectionTopic(root),
	)
	group(root)
	a.offerValues(root)
	return root
}

// groups are the commands as help lists them, by what a person wants.
var groups = []struct{ title, commands string }{
	{"Set up", "init doctor selftest dev"},
	{"Look", "scan status verify history runs"},
	{"Move users", "migrate rollback thaw"},
	{"Keep and delete", "backup restore gc forget"},
	{"Other commands", "version completion help"},
}

func group(root *cobra.Command) {
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title})
		for _, c := range root.Commands() {
			if slices.Contains(strings.Fields(g.commands), c.Name()) {
				c.GroupID = g.title
			}
		}
	}
	root.SetHelpCommandGroupID(groups[len(groups)-1].title)
}

func (g *globalFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&g.format, "output", string(terminal.Table),
		"`format` of stdout: "+strings.Join(terminal.Formats, ", "))
	flags.BoolVar(&g.json, "json", false, "the same as --output json")
	flags.BoolVar(&g.yes, "yes", false,
		"ask nothing: yes where nothing is lost by it, as in restore; what loses something needs --confirm all the same")
	flags.BoolVarP(&g.quiet, "quiet", "q", false, "print nothing but warnings and errors; stdout is as always")
	flags.BoolVarP(&g.verbose, "verbose", "v", false, "print each step of each user, and how long it took")
	flags.BoolVar(&g.debug, "debug", false,
		"print each request and its answer, without headers, bodies and values of queries")
	g.addAddresses(flags)
}

// addAddresses are the flags that say where everything is.
func (g *globalFlags) addAddresses(flags *pflag.FlagSet) {
	flags.StringVar(&g.file, "config", "",
		"wrangler configuration or dbmigrate.toml to read (`file`; default: looked for from here upward)")
	flags.StringVar(&g.environment, "env", "", "`name` of the wrangler environment; never guessed, \"\" is the top level")
	flags.StringVar(&g.profile, "profile", "",
		"`name` of a profile in dbmigrate.toml, which dbmigrate init writes; it stands alone, without the wrangler file")
	flags.StringVar(&g.values.WorkerURL, "worker-url", "",
		"`url` of the Worker that mounts the admin routes")
	flags.StringVar(&g.values.Bucket, "bucket", "", "`name` of the R2 bucket of the databases")
	flags.StringVar(&g.values.KVNamespace, "kv-namespace", "", "`id` of the namespace of the users' KV flags")
	flags.StringVar(&g.values.AccountID, "account-id", "", "`id` of the Cloudflare account")
	flags.StringVar(&g.values.Layout, "layout", "",
		"`key` of a user's database (default {user}/database.sqlite)")
	flags.StringVar(&g.values.LocationHint, "location-hint", "",
		"`region` in which new Durable Objects are created, such as weur, or none; they never move afterwards")
	flags.StringVar(&g.values.Jurisdiction, "r2-jurisdiction", "",
		"jurisdiction (`name`) of the bucket, such as eu (default: by the R2 endpoint)")
	flags.StringVar(&g.values.R2Endpoint, "r2-endpoint", "",
		"`url` of the S3 API (default: from account and jurisdiction)")
	flags.StringVar(&g.values.APIBaseURL, "api-base-url", "", "`url` of the Cloudflare API")
	commandline.Int(flags, &g.apiBudget, "api-budget", kv.DefaultBudget, kv.MinBudget, kv.MaxBudget,
		"Cloudflare API calls in any 5 minutes, for all shards together; the account has 1,200")
	helptext.OfTopic(flags, addressFlags)
}

// source is what the command was told of where everything is.
func (a *app) source(cmd *cobra.Command) *connect.Source {
	return &connect.Source{
		Flags:          a.global.values,
		File:           a.global.file,
		Environment:    a.global.environment,
		EnvironmentSet: cmd.Flags().Changed("env"),
		Profile:        a.global.profile,
		APIBudget:      a.global.apiBudget,
		Getenv:         a.getenv,
		Traffic:        a.traffic,
		Tap:            a.tap,
		Scratch:        a.scratch,
		Version:        version(),
		Warn:           a.out.Warn,
	}
}

func (a *app) applyGlobal(cmd *cobra.Command, args []string) error {
	switch {
	case a.global.json && cmd.Flags().Changed("output") && a.global.format != string(terminal.JSON):
		return usageError("use only one of --json and --output "+a.global.format, "", "", "")
	case a.global.json:
		a.global.format = string(terminal.JSON)
	}
	if !slices.Contains(terminal.Formats, a.global.format) {
		return usageError(fmt.Sprintf("--output must be table, json or csv, not %q", a.global.format), "", "",
			suggest.Or(a.global.format, terminal.Formats, "see dbmigrate --help"))
	}
	if err := commandline.RefuseEmpty(cmd.Flags(), mayBeEmpty); err != nil {
		return err
	}
	return checkFlags(cmd, args)
}

// noCommand is no success: a script with an empty variable has done nothing.
func noCommand(a *app, root *cobra.Command) error {
	root.SetOut(a.stderr)
	writeHelp(root)
	return ended(exitUsage)
}
