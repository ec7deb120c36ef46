package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/preconditions"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/r2"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// warnings are what was said beside.
type warnings struct{ strings.Builder }

func (w *warnings) warn(format string, args ...any) { fmt.Fprintf(&w.Builder, format+"\n", args...) }

// ruled is a bucket with lifecycle rules.
type ruled struct {
	migrate.Files
	rules []r2.Expiry
	err   error
}

func (b ruled) Expiries(context.Context) ([]r2.Expiry, error) { return b.rules, b.err }

// The fence of a user who has moved is never written again, so a rule that deletes by age ends it some day.
func TestLifecycleRules(t *testing.T) {
	unreadable := &userdb.Error{
		Op:   "read",
		Kind: userdb.Unauthorized,
		Err:  errors.New("AccessDenied"),
		Hint: "another hint",
	}
	for _, c := range []struct {
		name            string
		bucket          ruled
		refused, doctor string // texts of the refusal; "" where there is none
		warned          bool
	}{
		{"no rules", ruled{}, "", "no rule", false},
		{"a rule for everything", ruled{rules: []r2.Expiry{{ID: "clean", Days: 90}}}, `"clean" deletes`, `after 90 days`, false},
		{"a rule for some users", ruled{rules: []r2.Expiry{{ID: "clean", Prefix: "al", Days: 90}}}, `under "al"`, `under "al"`, false},
		{"a rule for one who moves", ruled{rules: []r2.Expiry{{ID: "clean", Prefix: "alice/", Days: 90}}}, `under "alice/"`, "no rule", false},
		{"a rule for names that nobody has", ruled{rules: []r2.Expiry{{ID: "clean", Prefix: "logs", Days: 90}}}, "", `under "logs"`, false},
		{"a rule for the archive", ruled{rules: []r2.Expiry{{ID: "clean", Prefix: "archive/", Days: 90}}}, "", "no rule", false},
		{"rules that the token may not read", ruled{err: unreadable}, "", "not known", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var stderr warnings
			layout, err := userdb.ParseLayout(userdb.DefaultLayout)
			if err != nil {
				t.Fatal(err)
			}
			e := &migrate.Engine{Files: c.bucket, Layout: layout, Bucket: "users"}
			err = preconditions.Lifecycle(e.Files).Ask(t.Context()).Refuse(e, []inspect.Found{{User: "alice"}}, stderr.warn)
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
				"r2 lifecycle",
				preconditions.Lifecycle(c.bucket),
				userdb.DefaultLayout,
			); !strings.Contains(
				f.Detail,
				c.doctor,
			) {
				t.Errorf("doctor: %+v", f)
			}
		})
	}
}
