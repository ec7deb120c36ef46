package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// What --mode says.
const (
	modeFull  = "full"
	modeSplit = "split"
)

// modeOptions say whether users move as a whole.
type modeOptions struct {
	mode       string
	policyFile string

	said   bool // --mode was given
	policy *split.Policy
}

func (o *modeOptions) add(flags *pflag.FlagSet) {
	flags.StringVar(&o.mode, "mode", modeFull,
		"`full|split`: move the whole database, or only the rows that --policy calls cold")
	flags.StringVar(&o.policyFile, "policy", "",
		"`file` that says which rows are cold, .toml or .jsonc; requires --mode split")
}

// check reads the policy, too: nothing is asked of any server before it is known to be one.
func (o *modeOptions) check(flags *pflag.FlagSet, writers migrate.Writers) (err error) {
	o.said = flags.Changed("mode")
	switch {
	case o.mode == modeFull && o.policyFile != "":
		return usageError("--policy requires --mode split", "", "", "")
	case o.mode == modeFull:
		return nil
	case o.mode != modeSplit:
		return usageError(fmt.Sprintf("--mode must be full or split, not %q", o.mode), "", "", "")
	case o.policyFile == "":
		return usageError("--mode split requires --policy", "", "", "it says which rows are cold; docs/split.md has an example")
	case writers == migrate.WritersUnconditional:
		return usageError("use only one of --mode split and --writers unconditional", "",
			"beside unconditional writers a split is not safe: a save that began before it would bring the cold rows back into the file, beside the Durable Object's",
			"make the writers conditional first (docs/mount.md); conditional ones need no --writers here")
	case writers != migrate.WritersFenceAware:
		return usageError("use only one of --mode split and --writers", "", "a split does not route, so there is nothing to wait for",
			"leave --writers out: a conditional save that meets a split fails, and is repeated on the new file")
	}
	o.policy, err = split.LoadPolicy(o.policyFile)
	return err
}

// move is what is done to a user. A run decides by one moment, so that its repetitions decide alike.
func (o *modeOptions) move(e *migrate.Engine) func(context.Context, userdb.UserID) result.Result {
	switch {
	case o.policy != nil:
		opts := migrate.SplitOptions{Policy: o.policy, At: time.Now()}
		return func(ctx context.Context, u userdb.UserID) result.Result { return e.Split(ctx, u, opts) }
	case o.said:
		return e.Whole
	}
	return e.Migrate
}
