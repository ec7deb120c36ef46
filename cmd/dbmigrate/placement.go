package main

import (
	"context"
	"fmt"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// fixJurisdiction is the same for objects and flags: neither moves from one jurisdiction to another.
const fixJurisdiction = "pass --r2-jurisdiction if the bucket's is another; else mount the Worker with `env.USER_DATA.jurisdiction(...)` and a KV namespace " +
	"of the bucket's jurisdiction (docs/mount.md). Nothing was moved"

// sameJurisdiction says why users must not move: their data would leave the bucket's jurisdiction, or enter
// one that nobody asked for.
func sameJurisdiction(hello wire.Hello, c config.Config) error {
	if hello.Object == nil || !hello.Object.Answers || hello.Object.Jurisdiction == "" {
		return nil // objectsServe has said so, or the Worker does not tell
	}
	return compareJurisdictions("the Worker's Durable Objects are in", hello.Object.Jurisdiction, c)
}

func compareJurisdictions(whose, found string, c config.Config) error {
	want := c.BucketJurisdiction()
	if want == "" {
		want = wire.NoJurisdiction
	}
	if found == want {
		return nil
	}
	return usageError(
		"compare jurisdictions",
		c.Bucket,
		fmt.Sprintf("the bucket's is %s, and %s %s", want, whose, found),
		fixJurisdiction,
	)
}

// unplaced says that nothing decides where new objects are created: they would lie near this machine for
// good.
func unplaced(hello wire.Hello, c config.Config) error {
	if c.LocationHint != "" || hello.LocationHint {
		return nil
	}
	return usageError(
		"place new Durable Objects",
		"",
		"each is created near the machine that touches it first, which is this one, and never moves",
		"pass --location-hint with the users' region, such as weur, or none if any place will do; or give handleAdmin the router's locationHint",
	)
}

// jurisdictional is what knows where the flags have to stay.
type jurisdictional interface {
	Jurisdiction(ctx context.Context) (string, error)
}

// refuseOtherFlags compares the namespace of the flags, which hold user ids, with the bucket.
func (a *app) refuseOtherFlags(ctx context.Context, e *migrate.Engine, c config.Config) error {
	flags, knows := e.Flags.(jurisdictional)
	if !knows {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	found, err := flags.Jurisdiction(ctx)
	if err != nil {
		a.out.Warn("the jurisdiction of the KV namespace cannot be read: %v", withoutHint(err))
		return nil
	}
	if found == "" {
		return nil // the API does not tell
	}
	return compareJurisdictions("the KV namespace of the flags is in", found, c)
}

// checkPlacement is doctor's look at where new objects come into being.
func checkPlacement(hello wire.Hello, c config.Config) []finding {
	list := []finding{
		{Check: "jurisdiction", OK: true, Detail: "the Worker does not tell its objects' jurisdiction"},
	}
	if o := hello.Object; o != nil && o.Jurisdiction != "" {
		list[0].Detail = "bucket and Durable Objects: " + o.Jurisdiction
	}
	if err := sameJurisdiction(hello, c); err != nil {
		list[0] = failed("jurisdiction", err, "")
	}
	placement := finding{Check: "placement", OK: true, Detail: "new Durable Objects: " + c.LocationHint}
	if c.LocationHint == "" {
		placement.Detail = "new Durable Objects: where the Worker's locationHint says"
	}
	if err := unplaced(hello, c); err != nil {
		placement = failed("placement", err, "")
	}
	return append(list, placement)
}
