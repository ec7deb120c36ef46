package main

import (
	"time"

	"github.com/spf13/pflag"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
)

// How long old flags are read, and what --longest-request says by itself. KV promises "60 seconds or more"
// (developers.cloudflare.com/kv/concepts/how-kv-works), so a minute is not enough; a Worker's request may run
// longer than half a minute only where somebody made it so.
const (
	defaultKVWindow       = 2 * time.Minute
	defaultLongestRequest = 30 * time.Second
)

// writersOptions say who else writes the files.
type writersOptions struct {
	writers   string
	procedure migrate.Procedure
}

func (o *writersOptions) add(flags *pflag.FlagSet) {
	flags.StringVar(&o.writers, "writers", string(migrate.WritersFenceAware),
		"weakest write `guarantee` of any application writer: fence-aware (all go through the router), conditional (on the ETag), unconditional")
	// KV's own window is no choice of the operator; tests shorten it.
	flags.DurationVar(&o.procedure.KVWindow, "kv-window", defaultKVWindow,
		"how long an old flag may still be read")
	_ = flags.MarkHidden("kv-window") // it is there
	flags.DurationVar(
		&o.procedure.LongestRequest,
		"longest-request",
		defaultLongestRequest,
		"how long (`time`) a request may take from reading the file to saving it; requires --writers conditional or unconditional.\n"+
			"Before the first fence, KV's own two minutes are added",
	)
}

func (o *writersOptions) check(flags *pflag.FlagSet) error {
	var err error
	if o.procedure.Writers, err = migrate.ParseWriters(o.writers); err != nil {
		return err
	}
	for _, name := range []string{"kv-window", "longest-request"} {
		if flags.Changed(name) && o.procedure.Writers == migrate.WritersFenceAware {
			return usageError("--"+name+" requires --writers conditional or unconditional", "", "", "fence-aware writers are not waited for")
		}
	}
	if o.procedure.KVWindow < 0 || o.procedure.LongestRequest < 0 {
		return usageError("read --kv-window and --longest-request", "", "a duration is negative", "")
	}
	return nil
}
