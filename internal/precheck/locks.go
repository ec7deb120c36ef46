package precheck

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/parallel"
	"github.com/dbmigrate/dbmigrate/pkg/kv"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// FixLock is for a lock rule, which keeps objects from being written. Neither a fence nor a rolled-back file
// could be put.
const FixLock = "switch the rule off, or give it a prefix under which no user's database lies"

// Locks is what reads the bucket's lock rules.
type Locks interface {
	Locks(ctx context.Context) ([]r2.Lock, error)
}

// LockReader asks the Cloudflare API; nil for the local runtime: the API there knows no buckets.
func LockReader(c config.Config) Locks {
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

// Locking says which rule freezes users' files: "" for none.
func Locking(rules []r2.Lock, now time.Time, covers Covering) string {
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

// RefuseLocks stops a migrate of users that a lock rule covers. Rules that cannot be read are the operator's
// to look at.
func RefuseLocks(
	ctx context.Context,
	e *migrate.Engine,
	bucket Locks,
	users []migrate.Found,
	warn func(string, ...any),
) error {
	return JudgeLocks(e, AskLocks(ctx, bucket), users, warn)
}

// AskLocks begins to ask for the lock rules; nil where nobody tells them.
func AskLocks(ctx context.Context, bucket Locks) func() ([]r2.Lock, error) {
	if bucket == nil {
		return nil
	}
	return parallel.Ahead(func() ([]r2.Lock, error) {
		ctx, cancel := context.WithTimeout(ctx, Patience)
		defer cancel()
		return bucket.Locks(ctx)
	})
}

// JudgeLocks refuses users for the lock rules that were asked for.
func JudgeLocks(
	e *migrate.Engine,
	asked func() ([]r2.Lock, error),
	users []migrate.Found,
	warn func(string, ...any),
) error {
	if asked == nil || len(users) == 0 {
		return nil
	}
	rules, err := asked()
	if err != nil {
		warn(
			"the bucket's lock rules cannot be read, so make sure that none covers users' files: %v",
			WithoutHint(err),
		)
		return nil
	}
	if why := Locking(rules, time.Now(), coveringOf(e.Layout, users)); why != "" {
		return userdb.UsageError("check the lock rules of", e.Bucket, why, FixLock)
	}
	return nil
}
