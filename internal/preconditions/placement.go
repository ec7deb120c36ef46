package preconditions

import (
	"context"
	"fmt"
	"slices"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// fixJurisdiction is the same for objects and flags: neither moves from one jurisdiction to another.
const fixJurisdiction = "pass --r2-jurisdiction if the bucket's is another; else mount the Worker with `env.USER_DATA.jurisdiction(...)` and a KV namespace " +
	"of the bucket's jurisdiction (docs/mount.md). Nothing was moved"

// SameJurisdiction says why users must not move: their data would leave the bucket's jurisdiction, or enter
// one that nobody asked for.
func SameJurisdiction(hello wire.Hello, c config.Config) error {
	if hello.Object == nil || !hello.Object.Answers || hello.Object.KnownJurisdiction() == "" {
		return nil // ObjectsServe has said so, or it is not known
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
	return userdb.UsageError(
		"compare jurisdictions",
		c.Bucket,
		fmt.Sprintf("the bucket's is %s, and %s %s", want, holder, found),
		fixJurisdiction,
	)
}

// Untold says that nobody can compare, where there is something to compare.
func Untold(hello wire.Hello, c config.Config) string {
	o := hello.Object
	if c.BucketJurisdiction() == "" || o == nil || !o.Answers || o.KnownJurisdiction() != "" {
		return ""
	}
	return "the bucket's jurisdiction is " + c.BucketJurisdiction() +
		", and the Worker does not tell that of its Durable Objects: make sure that it is the same"
}

// Unplaced says that nothing decides where new objects are created: they would lie near this machine for
// good.
func Unplaced(hello wire.Hello, c config.Config) error {
	if c.LocationHint != "" || hello.LocationHint {
		return nil
	}
	return userdb.UsageError(
		"place new Durable Objects",
		"",
		"each is created near the machine that touches it first, which is this one, and never moves",
		"say where the users are, such as weur, or none if any place will do: with --location-hint, or DBMIGRATE_LOCATION_HINT or location_hint in "+
			config.OwnName+"; or give handleAdmin the router's locationHint (docs/mount.md)",
	)
}

// CreatesObjects says whether a migrate of these users may create a Durable Object: of users who left their
// file it is there.
func CreatesObjects(users []inspect.Found) bool {
	return slices.ContainsFunc(users, func(f inspect.Found) bool {
		return f.Place == inspect.PlaceFile || f.Place == inspect.PlaceUnreadable
	})
}

// jurisdictional is what knows where the flags have to stay.
type jurisdictional interface {
	Jurisdiction(ctx context.Context) (string, error)
}

// RefuseOtherFlags compares the namespace of the flags, which hold user ids, with the bucket.
func RefuseOtherFlags(
	ctx context.Context,
	e *migrate.Engine,
	c config.Config,
	warn func(string, ...any),
) error {
	flags, knows := e.Flags.(jurisdictional)
	if !knows {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	found, err := flags.Jurisdiction(ctx)
	if err != nil {
		warn("the jurisdiction of the KV namespace cannot be read: %v", WithoutHint(err))
		return nil
	}
	// Of a namespace without a jurisdiction the API may say nothing, or "default"; it holds user ids only.
	if want := c.BucketJurisdiction(); found == "" || found == wire.NoJurisdiction {
		if want != "" {
			warn(
				"the bucket's jurisdiction is %s, and of the KV namespace of the flags, which holds user ids, the API tells none",
				want,
			)
		}
		return nil
	}
	return compareJurisdictions("the KV namespace of the flags is in", found, c)
}
