package main

import (
	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/history"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

type historyOptions struct{ limit int }

func newHistory(a *app) *cobra.Command {
	var o historyOptions
	cmd := &cobra.Command{
		Use:   "history USER",
		Short: "Tell one user's story: runs, receipts, and the copies that R2 keeps",
		Long: "Tell what was done to one user, the oldest first: each run, who ran it, when and why, how it ended for the user, how many\n" +
			"bytes were moved and how long writes waited; the receipts; the file and the copies that are kept, with their keys.\n\n" +
			"It reads R2 and this machine's records alone, so it works while the Worker or the Cloudflare API is down. The newest\n" +
			"--limit runs are looked through.",
		Example: "  dbmigrate history alice\n" +
			"  dbmigrate history alice --output json | jq 'select(.kind==\"copy\").key'\n" +
			"  dbmigrate history alice --limit 1000",
		Annotations: manual{
			reads:   "the run records, the user's receipts, file and copies in R2; the run records of this machine",
			changes: "nothing",
			exits:   []int{exitDone, exitFailed, exitUsage, exitInterrupted},
		}.annotations(),
		Args: oneArgument("the id of a user", "such as dbmigrate history alice"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.history(cmd, &o, args[0]) },
	}
	cmd.Flags().IntVar(&o.limit, "limit", 200, "how many runs are looked through at most")
	return cmd
}

func (a *app) history(cmd *cobra.Command, o *historyOptions, name string) error {
	if o.limit < 1 {
		return usageError("read --limit", "", "it is less than 1", "")
	}
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
