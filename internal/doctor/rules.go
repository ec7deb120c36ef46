package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/precheck"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// checkExpiry is doctor's look at the rules: one that covers a single user is that user's migrate to refuse.
func checkExpiry(ctx context.Context, bucket precheck.Expiries, template string) Finding {
	const check = "r2 lifecycle"
	layout, err := userdb.ParseLayout(template)
	if err != nil {
		return failed(check, err, "")
	}
	rules, err := bucket.Expiries(ctx)
	if err != nil {
		return Finding{
			Check: check,
			OK:    true,
			Detail: fmt.Sprintf(
				"not known: %v; make sure that no rule deletes users' files, or use a token that may read the rules (Admin Read)",
				precheck.WithoutHint(err),
			),
		}
	}
	if why := precheck.Expiring(rules, precheck.CoveringMany(layout)); why != "" {
		return Finding{Check: check, Detail: why, Fix: precheck.FixExpiry}
	}
	return Finding{Check: check, OK: true, Detail: "no rule deletes users' files"}
}

// checkLocks is doctor's look at the lock rules.
func checkLocks(ctx context.Context, bucket precheck.Locks, template string) Finding {
	const check = "r2 locks"
	layout, err := userdb.ParseLayout(template)
	if err != nil {
		return failed(check, err, "")
	}
	if bucket == nil {
		return Finding{Check: check, OK: true, Detail: "not known: this API tells no lock rules"}
	}
	rules, err := bucket.Locks(ctx)
	if err != nil {
		return Finding{
			Check: check,
			OK:    true,
			Detail: fmt.Sprintf(
				"not known: %v; make sure that no rule covers users' files, or give the API token \"Workers R2 Storage Read\"",
				precheck.WithoutHint(err),
			),
		}
	}
	if why := precheck.Locking(rules, time.Now(), precheck.CoveringMany(layout)); why != "" {
		return Finding{Check: check, Detail: why, Fix: precheck.FixLock}
	}
	return Finding{Check: check, OK: true, Detail: "no rule forbids writing users' files"}
}
