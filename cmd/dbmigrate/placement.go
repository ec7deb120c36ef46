package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
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
		return nil // objectsServe has said so, or it is not known
	}
	return compareJurisdictions("the Worker's Durable Objects are in", hello.Object.Jurisdiction, c)
}

func compareJurisdictions(holder, found string, c config.Config) error {
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
		fmt.Sprintf("the bucket's is %s, and %s %s", want, holder, found),
		fixJurisdiction,
	)
}

// untold says that nobody can compare, where there is something to compare.
func untold(hello wire.Hello, c config.Config) string {
	o := hello.Object
	if c.BucketJurisdiction() == "" || o == nil || !o.Answers || o.Jurisdiction != "" {
		return ""
	}
	return "the bucket's jurisdiction is " + c.BucketJurisdiction() +
		", and the Worker does not tell that of its Durable Objects: make sure that it is the same"
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
		"say where the users are, such as weur, or none if any place will do: with --location-hint, or DBMIGRATE_LOCATION_HINT or location_hint in "+
			config.OwnName+"; or give handleAdmin the router's locationHint (docs/mount.md)",
	)
}

// createsObjects says whether a migrate of these users may create a Durable Object: of users who left their
// file it is there.
func createsObjects(users []inspect.Found) bool {
	return slices.ContainsFunc(users, func(f inspect.Found) bool {
		return f.Place == inspect.PlaceR2 || f.Place == inspect.PlaceUnreadable
	})
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
	// Of a namespace without a jurisdiction the API may say nothing, or "default"; it holds user ids only.
	if want := c.BucketJurisdiction(); found == "" || found == wire.NoJurisdiction {
		if want != "" {
			a.out.Warn(
				"the bucket's jurisdiction is %s, and of the KV namespace of the flags, which holds user ids, the API tells none",
				want,
			)
		}
		return nil
	}
	return compareJurisdictions("the KV namespace of the flags is in", found, c)
}

// checkPlacement is doctor's look at where new objects come into being.
func checkPlacement(hello wire.Hello, c config.Config) []finding {
	list := []finding{
		{Check: "jurisdiction", OK: true, Detail: "the Worker does not tell its objects' jurisdiction"},
	}
	if text := untold(hello, c); text != "" {
		list[0].Detail = text
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
