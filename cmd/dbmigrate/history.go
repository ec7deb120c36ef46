package main

import (
	"github.com/spf13/cobra"
	"math"

	"github.com/dbmigrate/dbmigrate/internal/commandline"
	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/history"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

type historyOptions struct{ limit int }

func newHistory(a *app) *cobra.Command {
	var o historyOptions
	cmd := described("history", func(cmd *cobra.Command, args []string) error { return a.history(cmd, &o, args[0]) })
	cmd.Args = commandline.OneArgument("the id of a user", "such as dbmigrate history alice")
	commandline.Int(cmd.Flags(), &o.limit, "limit", 200, 1, math.MaxInt, "how many runs are looked through at most")
	return cmd
}

func (a *app) history(cmd *cobra.Command, o *historyOptions, name string) error {
	user, err := userdb.ParseUserID(name)
	if err != nil {
		return err
	}
	source := a.source(cmd)
	c, err := source.Config()
	if err != nil {
		return err
	}
	place, err := source.Records(c)
	if err != nil {
		return err
	}
	files, err := connect.R2(c, a.traffic)
	if err != nil {
		return err
	}
	layout, err := userdb.ParseLayout(c.Layout)
	if err != nil {
		return err
	}
	story, err := history.Of(cmd.Context(), &history.Source{
		Files:  files,
		Layout: layout,
		Place:  place,
		Newest: o.limit,
		Warn:   func(err error) { a.out.Warn("%v", err) },
	}, user)
	if err != nil {
		return err
	}
	if !story.Known() {
		return noSuchUser("tell the history of", user)
	}
	if err := history.Print(a.out, story); err != nil {
		return err
	}
	if story.Unread > 0 {
		return ended(exitFailed)
	}
	return nil
}

// noSuchUser is about a name that nobody has.
func noSuchUser(op string, u userdb.UserID) error {
	return usageError(op, string(u), "there is no such user: no file, no receipt, and no run", "check the name, --bucket and --layout")
}
