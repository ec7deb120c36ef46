package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/preconditions"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

func checkConfig(c config.Config) Finding {
	detail := "flags and environment"
	if c.OwnFile != "" {
		detail += ", " + c.OwnFile
	}
	if c.Profile != "" {
		detail += ", profile " + c.Profile
	}
	if c.File != "" {
		detail += ", " + c.File
	}
	if c.OwnFile == "" && c.File == "" && c.Need(config.R2, config.KV, config.Worker) != nil {
		detail += "; no dbmigrate.toml or wrangler file was read (`dbmigrate init` makes one)"
	}
	if c.Environment != "" {
		detail += fmt.Sprintf(" (environment %s)", c.Environment)
	}
	return Finding{Check: "configuration", OK: true, Detail: detail}
}

func checkLayout(c config.Config) Finding {
	if _, err := userdb.ParseLayout(c.Layout); err != nil {
		return failed("layout", err, "")
	}
	return Finding{Check: "layout", OK: true, Detail: c.Layout}
}

// checkWorker greets the Worker and looks at its answer.
func checkWorker(ctx context.Context, c config.Config, version string, now func() time.Time) []Finding {
	const check, fix = "worker", "mount the admin routes in the Worker (docs/mount.md), set its secret with `wrangler secret put DBMIGRATE_TOKEN` and deploy it"
	client, err := connect.Worker(c, version, nil)
	if err != nil {
		return []Finding{failed(check, err, fix)}
	}
	before := now()
	hello, err := client.Hello(ctx)
	if err != nil {
		return []Finding{failed(check, err, fix)}
	}
	// The Worker looked at its clock somewhere in between; the middle is the best guess.
	local := before.Add(now().Sub(before) / 2)
	return append([]Finding{
		{
			Check: check,
			OK:    true,
			Detail: fmt.Sprintf(
				"%s: dbmigrate Worker %s, protocol %d",
				c.WorkerURL,
				hello.Worker,
				hello.Protocol,
			),
		},
		checkLimits(hello.Limits), checkStore(hello, c.WorkerURL), checkClock(hello, local),
	}, append(append(checkWorkerLayout(hello, c), checkPlacement(hello, c)...), append(checkFileSaves(hello), checkParts(hello)...)...)...)
}

func checkLimits(l wire.Limits) Finding {
	return Finding{
		Check: "limits",
		OK:    true,
		Detail: fmt.Sprintf(
			"%s a cell, %d columns, %s a database, %s a request",
			units.FormatSize(
				l.CellBytes,
			),
			l.Columns,
			units.FormatSize(l.DatabaseBytes),
			units.FormatSize(l.BatchBytes),
		),
	}
}

// checkStore looks at what a real Durable Object said.
func checkStore(hello wire.Hello, url string) Finding {
	const check = "durable objects"
	if err := preconditions.ObjectsServe(hello, url); err != nil {
		return failed(check, err, "")
	}
	if at := hello.Object.Worker; at != hello.Worker {
		return Finding{
			Check: check,
			OK:    true,
			Detail: fmt.Sprintf(
				"one answered, backed by SQLite; it still runs version %s: deployments reach running objects later",
				at,
			),
		}
	}
	return Finding{Check: check, OK: true, Detail: "one answered over RPC, backed by SQLite"}
}

func checkClock(hello wire.Hello, local time.Time) Finding {
	return checkSkew("clock", "the Worker", time.UnixMilli(hello.NowMs), local)[0]
}

// checkPlacement is doctor's look at where new objects come into being.
func checkPlacement(hello wire.Hello, c config.Config) []Finding {
	list := []Finding{
		notTried("jurisdiction", "the Worker does not tell its objects' jurisdiction"),
	}
	if text := preconditions.Untold(hello, c); text != "" {
		list[0].Detail = text
	}
	if o := hello.Object; o != nil && o.KnownJurisdiction() != "" {
		list[0] = Finding{Check: "jurisdiction", OK: true, Detail: "bucket and Durable Objects: " + o.Jurisdiction}
	}
	if err := preconditions.SameJurisdiction(hello, c); err != nil {
		list[0] = failed("jurisdiction", err, "")
	}
	placement := Finding{Check: "placement", OK: true, Detail: "new Durable Objects: " + c.LocationHint}
	if c.LocationHint == "" {
		placement.Detail = "new Durable Objects: where the Worker's locationHint says"
	}
	if err := preconditions.Unplaced(hello, c); err != nil {
		placement = failed("placement", err, "")
	}
	return append(list, placement)
}
