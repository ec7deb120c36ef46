package main

import (
	"context"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/internal/selftest"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

const (
	// mostOffered is how many users or runs a shell is offered at most.
	mostOffered = 50
	// offerWithin is how long a person waits for them. What fails, or takes longer, offers nothing.
	offerWithin = 2 * time.Second
)

// offer says what a shell may complete a typed text to.
type offer func(a *app, cmd *cobra.Command, typed string) ([]string, cobra.ShellCompDirective)

// valuesOf are the offers for the values of flags, by the flag's name, or by the command's and the flag's
// where one name means several things.
var valuesOf = map[string]offer{
	"output":          oneOf(terminal.Formats...),
	"location-hint":   oneOf(config.LocationHints()...),
	"r2-jurisdiction": oneOf(config.Jurisdictions()...),
	"mode":            oneOf(modeFull, modeSplit),
	"writers": oneOf(
		string(migrate.WritersFenceAware),
		string(migrate.WritersConditional),
		string(migrate.WritersUnconditional),
	),
	"prefer":      oneOf(string(split.PreferHot), string(split.PreferCold)),
	"shard":       oneOf("auto"),
	"scan policy": oneOfOrFile("init"),
	"profile":     (*app).offerProfiles,
	"env":         (*app).offerEnvironments,
	"probes":      oneOrMoreOf(selftest.Requested),
	"only":        oneOrMoreOf(selftest.Tried),
	"run":         (*app).offerRuns,
	"runs report": (*app).offerRuns,
	"exclude":     (*app).offerUsers,
	"prefix":      (*app).offerUsers,
}

// filesOf are the flags with a value that is a file or a folder.
var filesOf = []string{"config", "users-file", "metrics-file", "policy", "report", "requests", "to", "from", "history", "persist"}

// offerFor is what is offered for a flag's value.
func offerFor(cmd *cobra.Command, f *pflag.Flag) offer {
	for _, name := range []string{cmd.Name() + " " + f.Name, f.Name} {
		if one := valuesOf[name]; one != nil {
			return one
		}
	}
	if slices.Contains(filesOf, f.Name) {
		return files
	}
	return nil
}

// offerValues lets shells complete values of flags, users and runs.
func (a *app) offerValues(root *cobra.Command) {
	register := func(cmd *cobra.Command) func(*pflag.Flag) {
		return func(f *pflag.Flag) {
			if one := offerFor(cmd, f); one != nil {
				_ = cmd.RegisterFlagCompletionFunc(f.Name, a.completion(one)) // the flag is there
			}
		}
	}
	root.PersistentFlags().VisitAll(register(root))
	for _, cmd := range root.Commands() {
		cmd.LocalNonPersistentFlags().VisitAll(register(cmd))
		if namesUsers(cmd) {
			cmd.ValidArgsFunction = a.completion((*app).offerUsers)
		}
	}
}

// namesUsers says whether a command is about users who may be named.
func namesUsers(cmd *cobra.Command) bool { return strings.Contains(cmd.Use, "USER") }

func (a *app) completion(one offer) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		found, directive := one(a, cmd, typed)
		named := func(text string) bool {
			value, _, _ := strings.Cut(text, "\t")
			return slices.Contains(args, value)
		}
		return slices.DeleteFunc(found, named), directive
	}
}

// completes says whether a shell asks for completions.
func completes(cmd *cobra.Command) bool {
	return cmd.Name() == cobra.ShellCompRequestCmd || cmd.Name() == cobra.ShellCompNoDescRequestCmd
}

func oneOf(values ...string) offer {
	return func(_ *app, _ *cobra.Command, typed string) ([]string, cobra.ShellCompDirective) {
		return beginningWith(typed, values), cobra.ShellCompDirectiveNoFileComp
	}
}

func oneOfOrFile(values ...string) offer {
	return func(_ *app, _ *cobra.Command, typed string) ([]string, cobra.ShellCompDirective) {
		return beginningWith(typed, values), cobra.ShellCompDirectiveDefault
	}
}

func files(*app, *cobra.Command, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

func beginningWith(typed string, values []string) (found []string) {
	for _, value := range values {
		if strings.HasPrefix(value, typed) {
			found = append(found, value)
		}
	}
	return found
}

// oneOrMoreOf goes on behind the last comma.
func oneOrMoreOf(list func() (ids, proves []string)) offer {
	return func(_ *app, _ *cobra.Command, typed string) (found []string, _ cobra.ShellCompDirective) {
		before := typed[:strings.LastIndex(typed, ",")+1]
		ids, proves := list()
		for i, id := range ids {
			if strings.HasPrefix(before+id, typed) && !slices.Contains(strings.Split(before, ","), id) {
				found = append(found, before+id+"\t"+proves[i])
			}
		}
		return found, cobra.ShellCompDirectiveNoFileComp
	}
}

func (a *app) offerProfiles(_ *cobra.Command, typed string) ([]string, cobra.ShellCompDirective) {
	var names []string
	if dir, err := os.Getwd(); err == nil {
		if own, err := config.FindOwn(dir, a.global.file); err == nil && own != nil {
			names = own.ProfileNames()
		}
	}
	return beginningWith(typed, names), cobra.ShellCompDirectiveNoFileComp
}

func (a *app) offerEnvironments(cmd *cobra.Command, typed string) ([]string, cobra.ShellCompDirective) {
	in, err := a.source(cmd).Input()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return beginningWith(typed, config.Environments(in)), cobra.ShellCompDirectiveNoFileComp
}

// quietly is the source of a question that a shell asks: nobody reads what is said meanwhile.
func (a *app) quietly(cmd *cobra.Command) (source *connect.Source, ctx context.Context, cancel func()) {
	source = a.source(cmd)
	source.Warn = func(string, ...any) {}
	ctx, cancel = context.WithTimeout(cmd.Context(), offerWithin)
	return source, ctx, cancel
}

func (a *app) offerUsers(cmd *cobra.Command, typed string) (found []string, _ cobra.ShellCompDirective) {
	source, ctx, cancel := a.quietly(cmd)
	defer cancel()
	if c, err := source.Config(); err == nil {
		found = usersOffered(ctx, c, typed)
	}
	return found, cobra.ShellCompDirectiveNoFileComp
}

func usersOffered(ctx context.Context, c config.Config, typed string) (names []string) {
	files, err := connect.R2(c, nil)
	if err != nil {
		return nil
	}
	layout, err := userdb.ParseLayout(c.Layout)
	if err != nil {
		return nil
	}
	users, err := selection.Named(ctx, files, layout, typed, mostOffered)
	if err != nil {
		return nil
	}
	for _, u := range users {
		names = append(names, string(u))
	}
	return names
}

func (a *app) offerRuns(cmd *cobra.Command, typed string) ([]string, cobra.ShellCompDirective) {
	const directive = cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
	source, ctx, cancel := a.quietly(cmd)
	defer cancel()
	c, err := source.Config()
	if err != nil {
		return nil, directive
	}
	place, err := source.Records(c)
	if err != nil {
		return nil, directive
	}
	return place.IDs(ctx, typed, mostOffered), directive
}
