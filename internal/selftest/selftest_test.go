package selftest

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// TestASharedRunIsMadeOnce: P9 and P10 cost what one of them costs, as their prices say.
func TestASharedRunIsMadeOnce(t *testing.T) {
	for _, fails := range []error{nil, errors.New("no")} {
		runs := 0
		l := &lab{}
		for _, p := range probes() {
			if p.ID != "P9" && p.ID != "P10" {
				continue
			}
			p.run = func(context.Context, *lab) (string, error) {
				runs++
				return "found", fails
			}
			line := l.try(t.Context(), p, Options{All: true})
			if want := map[bool]string{true: Passed, false: Failed}[fails == nil]; line.Result != want {
				t.Errorf("%s ended as %s: %s", p.ID, line.Result, line.Detail)
			}
			if told := strings.HasPrefix(line.Detail, "the run of P9: "); fails == nil && told != (p.ID == "P10") {
				t.Errorf("%s tells %q", p.ID, line.Detail)
			}
		}
		if runs != 1 {
			t.Errorf("%d runs", runs)
		}
	}
}

// TestNothingIsLeftInTheBucket: what a killed life leaves under the reserved prefix goes, and what is of
// others stays.
func TestNothingIsLeftInTheBucket(t *testing.T) {
	w := world.New(t.TempDir())
	l := &lab{Connection: &connect.Connection{Engine: w.Engine("a run", w.Bucket, w.Objects, nil)}}
	const other = ".dbmigrate/fencing/alice/database.sqlite"
	for _, key := range []userdb.ObjectKey{
		other,
		".dbmigrate/fencing/" + l.key(),
		".dbmigrate/left-behind/" + userdb.ObjectKey(User) + "/3.sqlite",
		".dbmigrate/overwritten/" + userdb.ObjectKey(User) + "/e.sqlite",
		".dbmigrate/probe/20261123T181500Z-9f3c21aa/database.sqlite",
		".dbmigrate/receipts/" + userdb.ObjectKey(User) + "/1.json",
		".dbmigrate/rehearsals/" + userdb.ObjectKey(User) + ".sqlite",
		".dbmigrate/selftest/p14/a b",
	} {
		if _, err := w.Bucket.Put(t.Context(), key, strings.NewReader(""), 0, userdb.PutOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.removeOwn(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := w.Bucket.List(t.Context(), "", "", func(objects []userdb.Object, _ []string) error {
		for _, o := range objects {
			if o.Key != other {
				t.Errorf("%s is left", o.Key)
			}
		}
		if len(objects) == 0 {
			t.Errorf("%s is gone", other)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
