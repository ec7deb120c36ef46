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
	kvWindow              = 2 * time.Minute
	defaultLongestRequest = 30 * time.Second
)

// kvWindowVariable names an environment variable that stands in for kvWindow. Programs have none: KV's own
// window is no choice of the operator. Builds for tests set it, with -ldflags "-X main.kvWindowVariable=...".
var kvWindowVariable string

// writersOptions say who else writes the files.
type writersOptions struct {
	writers   string
	procedure migrate.Procedure
}

func (o *writersOptions) add(flags *pflag.FlagSet) {
	flags.StringVar(&o.writers, "writers", string(migrate.WritersFenceAware),
		"weakest write `guarantee` of any application writer: fence-aware (all go through the router), conditional (on the ETag), unconditional")
	flags.DurationVar(
		&o.procedure.LongestRequest,
		"longest-request",
		defaultLongestRequest,
		"how long (`time`) a request may take from reading the file to saving it; requires --writers conditional or unconditional.\n"+
			"Before the first fence, KV's own two minutes are added",
	)
}

func (o *writersOptions) check(flags *pflag.FlagSet, getenv func(string) string) error {
	var err error
	if o.procedure.Writers, err = migrate.ParseWriters(o.writers); err != nil {
		return err
	}
	if flags.Changed("longest-request") && o.procedure.Writers == migrate.WritersFenceAware {
		return usageError("--longest-request requires --writers conditional or unconditional", "", "", "fence-aware writers are not waited for")
	}
	if o.procedure.LongestRequest < 0 {
		return usageError("read --longest-request", "", "a duration is negative", "")
	}
	o.procedure.KVWindow, err = durationIn(getenv, kvWindowVariable, kvWindow)
	return err
}

// durationIn reads a variable of builds for tests. Where there is none, or it is not set, it is otherwise.
func durationIn(getenv func(string) string, variable string, otherwise time.Duration) (time.Duration, error) {
	if variable == "" || getenv(variable) == "" {
		return otherwise, nil
	}
	return time.ParseDuration(getenv(variable))
}
