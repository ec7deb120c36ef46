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
	flags.StringVar(
		&o.writers,
		"writers",
		string(migrate.WritersFenceAware),
		"how the least careful writer saves a file: fence-aware (all go through the router), conditional (on the ETag), unconditional",
	)
	// KV's own window is no choice of the operator; tests shorten it.
	flags.DurationVar(
		&o.procedure.KVWindow,
		"kv-window",
		defaultKVWindow,
		"how long an old flag may still be read",
	)
	_ = flags.MarkHidden("kv-window") // it is there
	flags.DurationVar(
		&o.procedure.LongestRequest,
		"longest-request",
		defaultLongestRequest,
		"how long a request may take from reading the file to saving it; requires --writers conditional or unconditional.\n"+
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
			return usageError(
				"read --"+name,
				"",
				"fence-aware writers are not waited for",
				"leave it out, or say --writers conditional or unconditional",
			)
		}
	}
	if o.procedure.KVWindow < 0 || o.procedure.LongestRequest < 0 {
		return usageError("read --kv-window and --longest-request", "", "a duration is negative", "")
	}
	return nil
}

const (
	notMounted = "mount the Worker with savesFiles: false first (docs/mount.md), or make the save conditional: it is one line"
	oldPathWhy = "the Worker says savesFiles: false: an old path of the application saves files without conditions"
)

// refuseUntold refuses to rely on a router that no file is saved by, where nobody knows what it was told.
func (o *writersOptions) refuseUntold(untold bool) error {
	if o.procedure.Writers != migrate.WritersUnconditional || !untold {
		return nil
	}
	return usageError(
		"check the Worker",
		"",
		"handleAdmin was told savesFiles: false, and which value createRouter was told is not known: a router that saves files would be overwritten",
		"call createRouter before handleAdmin (docs/mount.md), and deploy; nothing was changed",
	)
}

// agree compares what was said with what the Worker says. Beside an old path that saves without conditions a
// router that saves files, too, loses what it acknowledged. Where nothing was said the Worker decides.
func (o *writersOptions) agree(oldPath, said, splits bool, say func(string, ...any)) error {
	switch p := &o.procedure; {
	case p.Outwaits() && !oldPath:
		return usageError(
			"read --writers",
			o.writers,
			"the Worker's router saves files as well, and what it acknowledges could be overwritten",
			notMounted,
		)
	case oldPath && splits:
		return usageError(
			"read --mode",
			modeSplit,
			oldPathWhy+"; the hot rows would stay in a file that nobody may save",
			"remove the old path first",
		)
	case oldPath && p.Writers == migrate.WritersFenceAware && said:
		return usageError(
			"read --writers",
			o.writers,
			oldPathWhy,
			"say --writers unconditional, or mount the Worker without that once the old path is gone",
		)
	case oldPath && p.Writers == migrate.WritersFenceAware:
		p.Writers = migrate.WritersUnconditional
		say("%s: going on as with --writers unconditional", oldPathWhy)
	}
	return nil
}
