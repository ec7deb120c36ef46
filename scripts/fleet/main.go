// Command fleet fills a bucket (or a folder) with users of every size, the same for the same seed:
//
//	go run ./scripts/stack -- go run ./scripts/fleet --users 40 --seed 1
//
// Sizes spread log-uniformly between --min and --max, as those of real users do. The bucket comes from the
// environment: AWS_ENDPOINT_URL_S3, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, DBMIGRATE_BUCKET.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"text/tabwriter"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

type options struct {
	users     int
	seed      uint64
	min, max  int64
	uniform   int64
	corpus    string
	videos    bool
	layout    userdb.Layout
	dir       string
	overwrite bool
	parallel  int
}

func main() {
	o, err := parseFlags(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(2)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "fleet:", err)
		os.Exit(1)
	}
}

func parseFlags(args []string) (options, error) {
	o := options{min: 20_000, max: 12_000_000, parallel: runtime.NumCPU()}
	flags := flag.NewFlagSet("fleet", flag.ContinueOnError)
	flags.IntVar(&o.users, "users", 40, "how many generated users")
	flags.Uint64Var(&o.seed, "seed", 1, "the same seed gives the same fleet")
	flags.Func("min", "smallest database (default 20KB)", sizeInto(&o.min))
	flags.Func("max", "largest database (default 12MB)", sizeInto(&o.max))
	flags.Func("uniform-bytes", "give all databases this size instead", sizeInto(&o.uniform))
	flags.StringVar(&o.corpus, "corpus", "", "folder of SQLite files to add as users corpus-<name>")
	flags.BoolVar(&o.videos, "videos", false, "add two small fake videos for each user under {user}/games/")
	layout := flags.String("layout", userdb.DefaultLayout, "key of a user's database")
	flags.StringVar(&o.dir, "dir", "", "write files under this folder instead of into the bucket")
	flags.BoolVar(&o.overwrite, "overwrite", false, "replace objects that exist")
	flags.IntVar(&o.parallel, "parallel", o.parallel, "databases built and sent at once")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var err error
	o.layout, err = userdb.ParseLayout(*layout)
	switch {
	case err != nil:
		return o, err
	case flags.NArg() > 0:
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case o.min > o.max || o.min <= 0:
		return o, fmt.Errorf("--min %d and --max %d: need 0 < min <= max", o.min, o.max)
	case o.users < 0 || o.parallel < 1:
		return o, fmt.Errorf("--users %d and --parallel %d cannot be", o.users, o.parallel)
	}
	return o, nil
}

func run(ctx context.Context, o options) error {
	members, err := plan(o)
	if err != nil {
		return err
	}
	to, err := openDestination(o)
	if err != nil {
		return err
	}
	results, err := writeAll(ctx, o, members, to)
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	var total int64
	for _, r := range results {
		fmt.Fprintf(table, "%s\t%d\t\n", r.user, r.bytes)
		total += r.bytes
	}
	if flushErr := table.Flush(); err == nil {
		err = flushErr
	}
	fmt.Fprintf(
		os.Stderr,
		"fleet: %d users, %.1f MB of databases in %s\n",
		len(results),
		float64(total)/1e6,
		to,
	)
	return err
}
