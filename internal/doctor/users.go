package doctor

import (
	"context"
	"errors"
	"fmt"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/preconditions"
	"github.com/dbmigrate/dbmigrate/pkg/doclient"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

const fixDeploy = "if a deploy just went out: wrangler rollback; `dbmigrate status %s` says where the user is"

// checkUser asks the object of one migrated user, and the router for that user. The object that hello asks is
// empty: code that fails on users' rows is not seen there.
func checkUser(ctx context.Context, c config.Config, version string) []Finding {
	client, err := connect.Worker(c, version, nil)
	if err != nil {
		return nil // its own check has said so
	}
	u, why := oneMigrated(ctx, c)
	if u == "" {
		return []Finding{notTried("migrated user", why)}
	}
	status, err := client.Status(ctx, u)
	if err != nil {
		return []Finding{failed("migrated user", err, "")}
	}
	asked := Finding{
		Check:  "migrated user",
		OK:     true,
		Detail: fmt.Sprintf("the Durable Object of %s answers, %s", u, status.Phase),
	}
	return append([]Finding{asked}, checkRouter(ctx, client, u)...)
}

// oneMigrated is a user with a flag; why says why there is none.
func oneMigrated(ctx context.Context, c config.Config) (u userdb.UserID, why string) {
	flags, err := connect.KV(c, 0, nil)
	if err != nil {
		return "", "the flags cannot be listed"
	}
	err = flags.List(ctx, "", func(page []userdb.Flag) error {
		if len(page) > 0 {
			u = page[0].User
			return errFound
		}
		return nil
	})
	if err != nil && !errors.Is(err, errFound) {
		return "", "the flags cannot be listed"
	}
	return u, "no user has a flag"
}

// errFound ends a listing that wanted one flag.
var errFound = errors.New("one is enough")

func checkRouter(ctx context.Context, client *doclient.Client, u userdb.UserID) []Finding {
	const check = "router"
	hello, err := client.HelloThrough(ctx, u)
	if err != nil {
		return []Finding{failed(check, err, "")}
	}
	through := hello.Through
	switch {
	case through == nil:
		return []Finding{notTried(check, "the isolate that answered has made no router, or the Worker is an older one")}
	case through.Answers:
		return []Finding{{Check: check, OK: true, Detail: fmt.Sprintf("it serves %s", u)}}
	case through.Kind == wire.KindCutover:
		return []Finding{notTried(check, fmt.Sprintf("%s moves at this moment", u))}
	}
	return []Finding{{
		Check:  check,
		Detail: fmt.Sprintf("it does not serve %s: %s: %s", u, through.Kind, through.Message),
		Fix:    fmt.Sprintf(fixDeploy, u.Arg()),
	}}
}

// checkVersions asks the Worker so often which version it is, of the package and of the application.
func checkVersions(ctx context.Context, c config.Config, version string, times int) []Finding {
	const check = "worker version"
	client, err := connect.Worker(c, version, nil)
	if err != nil || times == 0 {
		return nil
	}
	found, err := preconditions.Versions(ctx, client.Hello, times, 1)
	tooSlow := errors.Is(ctx.Err(), context.DeadlineExceeded)
	switch {
	case len(found) > 1: // whatever happened afterwards
		return []Finding{{
			Check:  check,
			Detail: "several answer: " + preconditions.VersionsText(found),
			Fix:    preconditions.FixVersions,
		}}
	case err != nil && (!tooSlow || len(found) == 0):
		return []Finding{failed(check, err, "")}
	}
	detail := preconditions.VersionsText(found)
	if err != nil { // a slow Worker is no other version
		detail += fmt.Sprintf("; no time for the rest of %d questions", times)
	}
	if unseen := preconditions.Unseen(found); unseen != "" {
		detail += "; " + unseen
	}
	return []Finding{{Check: check, OK: true, Detail: detail}}
}
