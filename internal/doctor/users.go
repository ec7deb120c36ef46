package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/preconditions"
	"github.com/dbmigrate/dbmigrate/pkg/doclient"
	"github.com/dbmigrate/dbmigrate/pkg/kv"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

const fixDeploy = "if a deploy just went out: wrangler rollback; `dbmigrate status %s` says where the user is"

// mostFlagged is how many users are asked, of each kind of flag, until one has an object with rows.
const mostFlagged = 5

// checkUser asks the object of one migrated user, and the router for that user. The object that hello asks is
// empty: code that fails on users' rows is not seen there. Nor is it in the object of a user with a flag that
// is stale.
func checkUser(ctx context.Context, c config.Config, version string) []Finding {
	client, err := connect.Worker(c, version, nil)
	if err != nil {
		return nil // its own check has said so
	}
	flags, err := connect.KV(c, 0, nil)
	if err != nil {
		return []Finding{notTried(checkMigrated, flagsUnread)}
	}
	var empty []userdb.UserID
	for _, kind := range []*kv.Client{flags, flags.Split()} {
		users, err := someFlagged(ctx, kind)
		if err != nil {
			return []Finding{notTried(checkMigrated, flagsUnread)}
		}
		for _, u := range users {
			status, err := client.Status(ctx, u)
			switch {
			case err != nil:
				return []Finding{failed(checkMigrated, err, "")}
			case status.Phase == userdb.Empty:
				empty = append(empty, u)
			default:
				return append([]Finding{answers(u, status.Phase, empty)}, checkRouter(ctx, client, u)...)
			}
		}
	}
	return []Finding{notTried(checkMigrated, withoutRows(empty))}
}

const (
	checkMigrated = "migrated user"
	checkVersion  = "worker version"
	flagsUnread   = "the flags cannot be listed"
)

func answers(u userdb.UserID, phase userdb.Phase, empty []userdb.UserID) Finding {
	detail := fmt.Sprintf("the Durable Object of %s answers, %s", u, phase)
	if len(empty) > 0 {
		detail += "; " + withoutRows(empty)
	}
	return Finding{Check: checkMigrated, OK: true, Detail: detail}
}

// withoutRows says of users with a flag that their objects are EMPTY: a flag is stale, or an object was lost.
func withoutRows(empty []userdb.UserID) string {
	if len(empty) == 0 {
		return "no user has a flag"
	}
	names, args := make([]string, len(empty)), make([]string, len(empty))
	for i, u := range empty {
		names[i], args[i] = string(u), u.Arg()
	}
	return fmt.Sprintf("a flag and an EMPTY Durable Object: %s; `dbmigrate status %s` says who serves",
		strings.Join(names, ", "), strings.Join(args, " "))
}

// someFlagged are a few users with a flag of one kind.
func someFlagged(ctx context.Context, flags *kv.Client) (users []userdb.UserID, err error) {
	err = flags.List(ctx, "", func(page []userdb.Flag) error {
		for _, flag := range page {
			if users = append(users, flag.User); len(users) == mostFlagged {
				return errEnough
			}
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return users, nil
	}
	return users, err
}

// errEnough ends a listing that wanted a few flags.
var errEnough = errors.New("these are enough")

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
	const check = checkVersion
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
