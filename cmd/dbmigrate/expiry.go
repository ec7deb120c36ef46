package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// A lifecycle rule deletes by age, and the fenced file of a user who has moved is never written again: such a
// rule deletes every fence some day.
const fixExpiry = "take the rule away, or give it a prefix under which no user's database lies"

// expiries is what reads the bucket's rules.
type expiries interface {
	Expiries(ctx context.Context) ([]r2.Expiry, error)
}

// covering says whether a rule with this prefix covers a user's file.
type covering func(prefix string) bool

// coveringOf is about the files of users who are known. A prefix such as "backup" could cover many users, and
// covers these or not.
func coveringOf(layout userdb.Layout, users []migrate.Found) covering {
	return func(prefix string) bool {
		return slices.ContainsFunc(users, func(f migrate.Found) bool {
			return strings.HasPrefix(string(layout.Key(f.User)), prefix)
		})
	}
}

// coveringMany is about users who are not known: one user's rule is left to that user's migrate.
func coveringMany(layout userdb.Layout) covering {
	return func(prefix string) bool {
		many, _ := layout.CoveredBy(prefix)
		return many
	}
}

// expiring says which rule deletes users' files: "" for none.
func expiring(rules []r2.Expiry, covers covering) string {
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

// refuseExpiry stops a migrate of users that a rule covers. Rules that cannot be read are the operator's to
// look at: most tokens may not read them.
func (a *app) refuseExpiry(ctx context.Context, e *migrate.Engine, users []migrate.Found) error {
	bucket, knows := e.Files.(expiries)
	if !knows || len(users) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	rules, err := bucket.Expiries(ctx)
	if err != nil {
		a.out.Warn(
			"the bucket's lifecycle rules cannot be read, so make sure that none deletes users' files: %v",
			withoutHint(err),
		)
		return nil
	}
	if why := expiring(rules, coveringOf(e.Layout, users)); why != "" {
		return usageError("check the lifecycle rules of", e.Bucket, why, fixExpiry)
	}
	return nil
}

// checkExpiry is doctor's look at the rules: one that covers a single user is that user's migrate to refuse.
func checkExpiry(ctx context.Context, bucket expiries, template string) finding {
	const check = "r2 lifecycle"
	layout, err := userdb.ParseLayout(template)
	if err != nil {
		return failed(check, err, "")
	}
	rules, err := bucket.Expiries(ctx)
	if err != nil {
		return finding{
			Check: check,
			OK:    true,
			Detail: fmt.Sprintf(
				"not known: %v; make sure that no rule deletes users' files, or use a token that may read the rules (Admin Read)",
				withoutHint(err),
			),
		}
	}
	if why := expiring(rules, coveringMany(layout)); why != "" {
		return finding{Check: check, Detail: why, Fix: fixExpiry}
	}
	return finding{Check: check, OK: true, Detail: "no rule deletes users' files"}
}

func withoutHint(err error) error {
	if e, ok := err.(*userdb.Error); ok {
		bare := *e
		bare.Hint = ""
		return &bare
	}
	return err
}
