package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
)

const (
	// noteFrom is the size from which a database is worth watching.
	noteFrom = 512 * units.KB
	// recommendFrom is the size from which moving is recommended, unless --threshold says otherwise.
	recommendFrom = units.MB
)

type scanOptions struct {
	threshold   sizeValue
	prefix      string
	deep        bool
	concurrency int
}

func newScan(a *app) *cobra.Command {
	o := scanOptions{threshold: sizeValue{bytes: recommendFrom}}
	cmd := &cobra.Command{
		Use:   "scan",
		Short: "List users by the size of their databases, and say who should move",
		Long: "List every user with a database in the bucket, the largest first, and say who should move: \"note\" from 512 KB,\n" +
			"\"migrate\" from 1 MB (--threshold). Users who are migrated already are shown as such.\n\n" +
			"Sizes are decimal, as Cloudflare's limits and prices are: 1 KB is 1,000 bytes and 1 MB is 1,000,000 bytes. Flags take\n" +
			"KiB (1,024 bytes), MiB and GiB, too.",
		Example: "  dbmigrate scan\n" +
			"  dbmigrate scan --threshold 5MB --prefix team-\n" +
			"  dbmigrate scan --output json | jq -r 'select(.advice==\"migrate\").user' > wave1.txt",
		Annotations: manual{
			reads:   "a listing of the bucket, a HEAD for each user, the flags; with --deep, the files",
			changes: "nothing",
			exits:   []int{exitDone, exitFailed, exitUsage, exitInterrupted},
		}.annotations(),
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return a.scan(cmd, &o) },
	}
	flags := cmd.Flags()
	flags.Var(&o.threshold, "threshold", "recommend moving from this size on")
	flags.StringVar(&o.prefix, "prefix", "", "only users whose id begins with this")
	flags.BoolVar(&o.deep, "deep", false, "read each file that is still in R2 and say what a Durable Object could not hold")
	flags.IntVar(&o.concurrency, "concurrency", defaultConcurrency, "how many files --deep reads at once")
	return cmd
}

func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	return usageError("read arguments", fmt.Sprintf("%q", args[0]), cmd.CommandPath()+" takes none", "see "+cmd.CommandPath()+" --help")
}

func (a *app) scan(cmd *cobra.Command, o *scanOptions) error {
	if err := (&pace{concurrency: o.concurrency}).check(); err != nil {
		return err
	}
	e, _, err := a.connectReading(cmd.Flags().Changed("env"))
	if err != nil {
		return err
	}
	found, err := e.Scan(cmd.Context(), migrate.ScanOptions{Prefix: o.prefix})
	if err != nil {
		return err
	}
	lines := make([]scanned, len(found))
	for i, f := range found {
		lines[i] = advise(f, o.threshold.bytes)
	}
	if o.deep {
		if err := a.lookDeep(cmd.Context(), e, lines, o.concurrency); err != nil {
			return err
		}
	}
	return a.printScan(lines, o.threshold.bytes)
}

