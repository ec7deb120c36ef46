package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/pkg/kv"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// A lock rule keeps objects from being written: neither fence nor rolled-back file could be put.
const fixLock = "switch the rule off, or give it a prefix under which no user's database lies"

// locks is what reads the bucket's lock rules.
type locks interface {
	Locks(ctx context.Context) ([]r2.Lock, error)
}

// lockReader asks the Cloudflare API; nil for the local runtime: the API there knows no buckets.
func lockReader(c config.Config) locks {
	if strings.Contains(c.APIBaseURL, "/cdn-cgi/local/") || c.AccountID == "" || c.APIToken == "" {
		return nil
	}
	return r2.LockReader{
		BaseURL:      cmp.Or(c.APIBaseURL, kv.DefaultBaseURL),
		AccountID:    c.AccountID,
		Token:        c.APIToken.Reveal(),
		Bucket:       c.Bucket,
		Jurisdiction: c.BucketJurisdiction(),
	}
}

// locking says which rule freezes users' files: "" for none.
func locking(rules []r2.Lock, now time.Time, covers covering) string {
	for _, rule := range rules {
		if over := !rule.Until.IsZero() && rule.Until.Before(now); over {
			continue
		}
		if covers(rule.Prefix) {
			return fmt.Sprintf(
				"the lock rule %q forbids writing objects under %q, so no fence could be set and no file brought back",
				rule.ID,
				rule.Prefix,
			)
		}
	}
	return ""
}

// refuseLocks stops a migrate of users that a lock rule covers. Rules that cannot be read are the operator's
// to look at.
func (a *app) refuseLocks(ctx context.Context, e *migrate.Engine, bucket locks, users []migrate.Found) error {
	if bucket == nil || len(users) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	rules, err := bucket.Locks(ctx)
	if err != nil {
		a.out.Warn(
			"the bucket's lock rules cannot be read, so make sure that none covers users' files: %v",
			withoutHint(err),
		)
		return nil
	}
	if why := locking(rules, time.Now(), coveringOf(e.Layout, users)); why != "" {
		return usageError("check the lock rules of", e.Bucket, why, fixLock)
	}
	return nil
}

// checkLocks is doctor's look at the lock rules.
func checkLocks(ctx context.Context, bucket locks, template string) finding {
	const check = "r2 locks"
	layout, err := userdb.ParseLayout(template)
	if err != nil {
		return failed(check, err, "")
	}
	if bucket == nil {
		return finding{Check: check, OK: true, Detail: "not known: this API tells no lock rules"}
	}
	rules, err := bucket.Locks(ctx)
	if err != nil {
		return finding{
			Check: check,
			OK:    true,
			Detail: fmt.Sprintf(
				"not known: %v; make sure that no rule covers users' files, or give the API token \"Workers R2 Storage Read\"",
				withoutHint(err),
			),
		}
	}
	if why := locking(rules, time.Now(), coveringMany(layout)); why != "" {
		return finding{Check: check, Detail: why, Fix: fixLock}
	}
	return finding{Check: check, OK: true, Detail: "no rule forbids writing users' files"}
}
