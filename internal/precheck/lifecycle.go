// Package precheck says what has to be so before anybody is moved: Durable Objects that serve, no rule that
// deletes or freezes files, one jurisdiction, and writers that are known.
package precheck

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/parallel"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// FixExpiry is for a lifecycle rule that deletes by age. The fenced file of a user who has moved is never
// written again: such a rule deletes every fence some day.
const FixExpiry = "take the rule away, or give it a prefix under which no user's database lies"

// Patience bounds the questions to one service. A fleet's run repeats requests for minutes; who asks wants to
// know now.
const Patience = 10 * time.Second

// Expiries is what reads the bucket's rules.
type Expiries interface {
	Expiries(ctx context.Context) ([]r2.Expiry, error)
}

// Covering says whether a rule with this prefix covers a user's file.
type Covering func(prefix string) bool

// coveringOf is about the files of users who are known. A prefix such as "backup" could cover many users, and
// covers these or not.
func coveringOf(layout userdb.Layout, users []migrate.Found) Covering {
	return func(prefix string) bool {
		return slices.ContainsFunc(users, func(f migrate.Found) bool {
			return strings.HasPrefix(string(layout.Key(f.User)), prefix)
		})
	}
}

// CoveringMany is about users who are not known: one user's rule is left to that user's migrate.
func CoveringMany(layout userdb.Layout) Covering {
	return func(prefix string) bool {
		many, _ := layout.CoveredBy(prefix)
		return many
	}
}

// Expiring says which rule deletes users' files: "" for none.
func Expiring(rules []r2.Expiry, covers Covering) string {
	for _, rule := range rules {
		if covers(rule.Prefix) {
			return fmt.Sprintf(
				"the lifecycle rule %q deletes objects under %q %s, and so the fences of users who have moved",
				rule.ID,
				rule.Prefix,
				due(rule),
			)
		}
	}
	return ""
}

func due(rule r2.Expiry) string {
	if rule.Days > 0 {
		return fmt.Sprintf("after %d days", rule.Days)
	}
	return "on " + rule.Date.Format(time.DateOnly)
}

// RefuseExpiry stops a migrate of users that a rule covers. Rules that cannot be read are the operator's to
// look at: most tokens may not read them.
func RefuseExpiry(
	ctx context.Context,
	e *migrate.Engine,
	users []migrate.Found,
	warn func(string, ...any),
) error {
	return JudgeExpiry(e, AskExpiries(ctx, e), users, warn)
}

// AskExpiries begins to ask for the lifecycle rules; nil where the bucket tells none.
func AskExpiries(ctx context.Context, e *migrate.Engine) func() ([]r2.Expiry, error) {
	bucket, knows := e.Files.(Expiries)
	if !knows {
		return nil
	}
	return parallel.Ahead(func() ([]r2.Expiry, error) {
		ctx, cancel := context.WithTimeout(ctx, Patience)
		defer cancel()
		return bucket.Expiries(ctx)
	})
}

// JudgeExpiry refuses users for the lifecycle rules that were asked for.
func JudgeExpiry(
	e *migrate.Engine,
	asked func() ([]r2.Expiry, error),
	users []migrate.Found,
	warn func(string, ...any),
) error {
	if asked == nil || len(users) == 0 {
		return nil
	}
	rules, err := asked()
	if err != nil {
		warn(
			"the bucket's lifecycle rules cannot be read, so make sure that none deletes users' files: %v",
			WithoutHint(err),
		)
		return nil
	}
	if why := Expiring(rules, coveringOf(e.Layout, users)); why != "" {
		return userdb.UsageError("check the lifecycle rules of", e.Bucket, why, FixExpiry)
	}
	return nil
}

// WithoutHint is an error without its way out, for a text that has another one.
func WithoutHint(err error) error {
	if e, ok := err.(*userdb.Error); ok {
		bare := *e
		bare.Hint = ""
		return &bare
	}
	return err
}
