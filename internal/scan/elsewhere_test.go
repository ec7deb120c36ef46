package scan

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// strays is a bucket with databases that no user of the layout has.
type strays struct {
	bucket
	keys []userdb.ObjectKey
}

func (s *strays) ScanEach(ctx context.Context, o inspect.ScanOptions, yield func(inspect.Found) error) error {
	for _, key := range s.keys {
		o.Elsewhere(key)
	}
	return s.bucket.ScanEach(ctx, o, yield)
}

// TestDatabasesElsewhereAreTold: one line, and in JSON. Without any there is neither.
func TestDatabasesElsewhereAreTold(t *testing.T) {
	for _, c := range []struct {
		keys []userdb.ObjectKey
		said string
	}{
		{nil, ""},
		{[]userdb.ObjectKey{"b/x.db"}, "at least 1 object looks like databases, and not where the layout has one, such as b/x.db: check --layout"},
		{[]userdb.ObjectKey{"b/x.db", "a/c/database.sqlite"}, "at least 2 objects look like databases, and not where the layout has one, such as a/c/database.sqlite: check --layout"},
	} {
		var stderr bytes.Buffer
		o := options(&stderr)
		r, err := Survey(t.Context(), &strays{keys: c.keys}, o)
		if err != nil {
			t.Fatal(err)
		}
		totals, err := r.Print(o.Out, 0)
		if err != nil || totals.Elsewhere != len(c.keys) || (totals.ElsewhereKey != "") != (len(c.keys) > 0) {
			t.Errorf("%+v, %v", totals, err)
		}
		if said := stderr.String(); !strings.Contains(said, c.said) || strings.Contains(said, "check --layout") != (c.said != "") {
			t.Errorf("%v: %q", c.keys, said)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}
