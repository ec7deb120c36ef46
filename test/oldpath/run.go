package oldpath

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
)

// WorkerVars make the sample's Worker one beside an old path.
var WorkerVars = map[string]string{"OLD_PATH": "unconditional"}

// Config says how long a run is: it ends after Rounds there and back, or, where that is 0, with the first
// round that ends after Length.
type Config struct {
	Users, Rounds int
	Length        time.Duration
	Log           io.Writer
}

// Report is what a run did and saw.
type Report struct {
	Users, Rounds, Cutovers        int
	OldPath, Router, Refused, Lost int
	Took                           time.Duration
}

// Markdown is the report as a section of docs/proofs.md.
func (r Report) Markdown() string {
	return fmt.Sprintf(
		"%d users with %d writers each, %d rounds there and back (%d cutovers) in %s.\n\n"+
			"| acknowledged by the old path | by the router | refused | lost |\n|---|---|---|---|\n| %d | %d | %d | %d |\n",
		r.Users,
		writersPerUser,
		r.Rounds,
		r.Cutovers,
		r.Took.Round(time.Second),
		r.OldPath,
		r.Router,
		r.Refused,
		r.Lost,
	)
}

func newImage() ([]byte, error) { return harness.Image(harness.Schema) }

// Run moves the users of a backend there and back while it writes. The stack has WorkerVars. An error means
// that a promise was broken, or that the run could not be made or was interrupted; the report holds what was
// seen until then.
func Run(ctx context.Context, cloud *stack.Stack, binary string, config Config) (Report, error) {
	begun, report := time.Now(), Report{Users: config.Users}
	image, err := newImage()
	if err != nil {
		return report, err
	}
	dir, err := os.MkdirTemp("", "dbmigrate-oldpath-")
	if err != nil {
		return report, err
	}
	defer os.RemoveAll(dir)
	b, err := newBackend(cloud, image, dir, config.Users)
	if err != nil {
		return report, err
	}
	op, err := harness.NewOperator(cloud, binary, dir)
	if err != nil {
		return report, err
	}
	defer op.Close()
	op.KVWindow = staleFor.String()
	stop := b.work()
	for err == nil && ctx.Err() == nil && config.goesOn(report.Rounds, time.Since(begun)) {
		if err = b.round(ctx, op, config.Log); err == nil {
			report.Rounds++
			report.Cutovers += 2 * config.Users
		}
	}
	stop()
	a, lost := b.audit()
	report.OldPath, report.Router, report.Refused, report.Lost, report.Took = a.oldPath, a.router, a.refused, a.lost, time.Since(
		begun,
	)
	return report, errors.Join(err, lost, ctx.Err())
}

func (c Config) goesOn(rounds int, took time.Duration) bool {
	if c.Rounds > 0 {
		return rounds < c.Rounds
	}
	return took < c.Length
}

// round moves all users there and back, and lets them write on either side until no request goes by an old
// flag.
func (b *backend) round(ctx context.Context, op *harness.Operator, log io.Writer) error {
	there := []string{"migrate", "--writers", "unconditional", "--longest-request", longestRequest}
	for _, command := range [][]string{there, {"rollback"}} {
		wait(ctx, time.Second)
		f, err := op.Must(0, append(command, b.names()...)...)
		if err != nil {
			return err
		}
		fmt.Fprintln(log, f.Line(), strings.TrimSpace(f.Stderr))
		wait(ctx, staleFor)
	}
	return nil
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
