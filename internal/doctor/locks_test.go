package doctor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/preconditions"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// locked is a bucket with lock rules.
type locked struct {
	rules []r2.Lock
	err   error
}

func (b locked) Locks(context.Context) ([]r2.Lock, error) { return b.rules, b.err }

func TestLockRules(t *testing.T) {
	past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	unreadable := &userdb.Error{
		Op:   "read",
		Kind: userdb.Unauthorized,
		Err:  errors.New("HTTP 403"),
		Hint: "another hint",
	}
	for _, c := range []struct {
		name            string
		bucket          preconditions.LockTeller
		refused, doctor string
		warned          bool
	}{
		{"no rules", locked{}, "", "no rule", false},
		{"a rule for everything, by age", locked{rules: []r2.Lock{{ID: "keep", Age: time.Hour}}}, `"keep" forbids`, `"keep" forbids`, false},
		{"a rule for everything, for good", locked{rules: []r2.Lock{{ID: "keep"}}}, `"keep" forbids`, `"keep" forbids`, false},
		{"a rule that is over", locked{rules: []r2.Lock{{ID: "keep", Until: past}}}, "", "no rule", false},
		{"a rule that ends later", locked{rules: []r2.Lock{{ID: "keep", Until: future}}}, `"keep" forbids`, `"keep" forbids`, false},
		{"a rule for some users", locked{rules: []r2.Lock{{ID: "keep", Prefix: "al"}}}, `under "al"`, `under "al"`, false},
		{"a rule for one who moves", locked{rules: []r2.Lock{{ID: "keep", Prefix: "alice/"}}}, `under "alice/"`, "no rule", false},
		{"a rule for another", locked{rules: []r2.Lock{{ID: "keep", Prefix: "bob/"}}}, "", "no rule", false},
		{"a rule for names that nobody has", locked{rules: []r2.Lock{{ID: "keep", Prefix: "backup"}}}, "", `under "backup"`, false},
		{"a rule for the archive", locked{rules: []r2.Lock{{ID: "keep", Prefix: "archive/"}}}, "", "no rule", false},
		{"rules that the token may not read", locked{err: unreadable}, "", "not known", true},
		{"an API without rules", nil, "", "not known", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stderr warnings
			layout, err := userdb.ParseLayout(userdb.DefaultLayout)
			if err != nil {
				t.Fatal(err)
			}
			e := &migrate.Engine{Layout: layout, Bucket: "users"}
			err = preconditions.Locks(c.bucket).Ask(t.Context()).Refuse(e, []inspect.Found{{User: "alice"}}, stderr.warn)
			if (err != nil) != (c.refused != "") ||
				err != nil && (userdb.KindOf(err) != userdb.Usage || !strings.Contains(err.Error(), c.refused)) {
				t.Errorf("migrate: %v", err)
			}
			if got := strings.Contains(stderr.String(), "cannot be read"); got != c.warned ||
				strings.Contains(stderr.String(), "another hint") {
				t.Errorf("warned %v: %s", got, &stderr)
			}
			if f := checkRules(
				t.Context(),
				"r2 locks",
				preconditions.Locks(c.bucket),
				userdb.DefaultLayout,
			); !strings.Contains(
				f.Detail,
				c.doctor,
			) ||
				f.failed() != strings.Contains(f.Detail, "forbids writing objects") {
				t.Errorf("doctor: %+v", f)
			}
		})
	}
}
