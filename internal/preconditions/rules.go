// Package preconditions says what has to be so before anybody is moved: Durable Objects that serve, no rule
// that deletes or freezes files, one jurisdiction, and writers that are known.
package preconditions

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/config"
	"github.com/dbmigrate/dbmigrate/internal/parallel"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/kv"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Patience bounds the questions to one service. A fleet's run repeats requests for minutes; who asks wants to
// know now.
const Patience = 10 * time.Second

// Rules are one kind of the bucket's rules.
type Rules struct {
	// Name is the kind's, as in "lifecycle rules".
	Name string
	// Fix is for a rule that covers users' files.
	Fix string
	// None says what holds without such a rule, and Sure what to make sure of where they cannot be read.
	None, Sure string
	// Right lets a token read them.
	Right string

	// read is nil where nobody tells them.
	read func(context.Context) ([]rule, error)
}

// rule covers the keys that begin with the prefix; harm says what it does to users' files.
type rule struct{ prefix, harm string }

// Expiries is what reads the bucket's lifecycle rules.
type Expiries interface {
	Expiries(ctx context.Context) ([]r2.Expiry, error)
}

// Lifecycle are the rules that delete objects by age. The fenced file of a user who has moved is never
// written again: such a rule deletes every fence some day. A bucket that is no Expiries tells none.
func Lifecycle(bucket any) Rules {
	rules := Rules{
		Name:  "lifecycle",
		Fix:   "take the rule away, or give it a prefix under which no user's database lies",
		None:  "no rule deletes users' files",
		Sure:  "no rule deletes users' files",
		Right: "use a token that may read the rules (Admin Read)",
	}
	if b, knows := bucket.(Expiries); knows {
		rules.read = func(ctx context.Context) ([]rule, error) { return each(ctx, b.Expiries, expiring) }
	}
	return rules
}

func expiring(e r2.Expiry) (rule, bool) {
	due := "on " + e.Date.Format(time.DateOnly)
	if e.Days > 0 {
		due = fmt.Sprintf("after %d days", e.Days)
	}
	return rule{e.Prefix, fmt.Sprintf(
		"the lifecycle rule %q deletes objects under %q %s, and so the fences of users who have moved",
		e.ID,
		e.Prefix,
		due,
	)}, true
}

// LockTeller is what reads the bucket's lock rules.
type LockTeller interface {
	Locks(ctx context.Context) ([]r2.Lock, error)
}

// Locks are the rules that keep objects from being written: neither a fence nor a rolled-back file could be
// put. A nil reader tells none.
func Locks(bucket LockTeller) Rules {
	rules := Rules{
		Name:  "lock",
		Fix:   "switch the rule off, or give it a prefix under which no user's database lies",
		None:  "no rule forbids writing users' files",
		Sure:  "no rule covers users' files",
		Right: "give the API token \"Workers R2 Storage Read\"",
	}
	if bucket != nil {
		rules.read = func(ctx context.Context) ([]rule, error) { return each(ctx, bucket.Locks, locking) }
	}
	return rules
}

// locking leaves out rules that are over.
func locking(l r2.Lock) (rule, bool) {
	over := !l.Until.IsZero() && l.Until.Before(time.Now())
	return rule{l.Prefix, fmt.Sprintf(
		"the lock rule %q forbids writing objects under %q, so no fence could be set and no file brought back",
		l.ID,
		l.Prefix,
	)}, !over
}

func each[R any](
	ctx context.Context,
	read func(context.Context) ([]R, error),
	harm func(R) (rule, bool),
) ([]rule, error) {
	found, err := read(ctx)
	var rules []rule
	for _, f := range found {
		if r, counts := harm(f); counts {
			rules = append(rules, r)
		}
	}
	return rules, err
}

// LockReader asks the Cloudflare API; nil for the local runtime: the API there knows no buckets.
func LockReader(c config.Config) LockTeller {
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

// Covering says whether a rule with this prefix covers a user's file.
type Covering func(prefix string) bool

// coveringOf is about the files of users who are known. A prefix such as "backup" could cover many users, and
// covers these or not.
func coveringOf(layout userdb.Layout, users []inspect.Found) Covering {
	return func(prefix string) bool {
		return slices.ContainsFunc(users, func(f inspect.Found) bool {
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

// Told says whether anybody tells these rules.
func (r Rules) Told() bool { return r.read != nil }

// Harm says what the first rule does that covers users' files: "" for none.
func (r Rules) Harm(ctx context.Context, covers Covering) (string, error) {
	rules, err := r.read(ctx)
	return harmOf(rules, covers), err
}

func harmOf(rules []rule, covers Covering) string {
	for _, r := range rules {
		if covers(r.prefix) {
			return r.harm
		}
	}
	return ""
}

// Asked are rules that were asked for.
type Asked struct {
	Rules
	answer func() ([]rule, error)
}

// Ask begins to ask for the rules.
func (r Rules) Ask(ctx context.Context) Asked {
	if !r.Told() {
		return Asked{Rules: r}
	}
	return Asked{r, parallel.Ahead(func() ([]rule, error) {
		ctx, cancel := context.WithTimeout(ctx, Patience)
		defer cancel()
		return r.read(ctx)
	})}
}

// Refuse stops a migrate of users that a rule covers. Rules that cannot be read are the operator's to look
// at: most tokens may not read them.
func (a Asked) Refuse(e *migrate.Engine, users []inspect.Found, warn func(string, ...any)) error {
	if a.answer == nil || len(users) == 0 {
		return nil
	}
	rules, err := a.answer()
	if err != nil {
		warn(
			"the bucket's %s rules cannot be read, so make sure that %s: %v",
			a.Name,
			a.Sure,
			WithoutHint(err),
		)
		return nil
	}
	if why := harmOf(rules, coveringOf(e.Layout, users)); why != "" {
		return userdb.UsageError("check the "+a.Name+" rules of", e.Bucket, why, a.Fix)
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
