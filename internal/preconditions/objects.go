package preconditions

import (
	"errors"
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// objectFault is what a deployment does wrong when no Durable Object answers, and how to mend it.
type objectFault struct{ cause, fix string }

var objectFaults = map[string]objectFault{
	wire.ProbeNoRPC: {"RPC to Durable Objects does not work, so every request of a migrated user would fail",
		"set compatibility_date to 2024-04-03 or later in the wrangler configuration (docs/mount.md) and deploy"},
	wire.ProbeNoSQLite: {"its Durable Object class is not backed by SQLite",
		"declare a class under new_sqlite_classes, not new_classes, in a new migration; a class cannot be changed later"},
	wire.ProbeWrongClass: {"its Durable Object class is not UserDataStore, or one of an older version",
		"bind UserDataStore or a subclass of it (docs/mount.md), and deploy this version to 100 %"},
}

// ObjectsServe says why the Worker's Durable Objects could not serve a user, nil where one has shown that it
// can.
func ObjectsServe(hello wire.Hello, url string) error {
	const op = "ask a Durable Object of the Worker"
	o := hello.Object
	if o == nil {
		return userdb.UsageError(
			op,
			url,
			"the Worker asks none for us: it is older than this program",
			"deploy the Worker with this version of the package",
		)
	}
	if o.Answers {
		return nil
	}
	if o.Cause == wire.ProbeThrew {
		return &userdb.Error{
			Op:    op,
			Thing: url,
			Kind:  userdb.Unreachable,
			Err:   fmt.Errorf("it threw %.300q: application code", o.Message),
			Hint:  "if a deploy just went out: wrangler rollback",
		}
	}
	if f, known := objectFaults[o.Cause]; known {
		return userdb.UsageError(op, url, f.cause+": "+o.Message, f.fix)
	}
	return &userdb.Error{
		Op:    op,
		Thing: url,
		Kind:  userdb.Unreachable,
		Err:   errors.New(o.Message),
		Hint:  "see the Worker's logs, then run the command again",
	}
}
