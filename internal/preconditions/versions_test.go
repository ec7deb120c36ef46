package preconditions

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// deployment answers as one that is gradual: by turns.
type deployment struct {
	versions []string
	asked    atomic.Int64
}

func (d *deployment) Hello(context.Context) (wire.Hello, error) {
	n := int(d.asked.Add(1))
	return wire.Hello{Worker: d.versions[n%len(d.versions)]}, nil
}

// Old code that answers one request in three is seen, whichever answered first.
func TestGradualDeploymentsAreSeen(t *testing.T) {
	for _, c := range []struct {
		first    string
		versions []string
		refused  bool
	}{
		{"1.2.0", []string{"1.2.0"}, false},
		{"1.2.0", []string{"1.2.0", "1.2.0", "1.1.0"}, true},
		{"1.2.0", []string{"1.1.0"}, true},
	} {
		found, err := Versions(t.Context(), (&deployment{versions: c.versions}).Hello, 5, 5)
		if err != nil {
			t.Fatal(err)
		}
		err = SameVersion(found, c.first)
		if refused := userdb.KindOf(err) == userdb.Usage; refused != c.refused {
			t.Errorf("%+v: %v", c, err)
		}
		if c.refused && !strings.Contains(err.Error(), "1.1.0 (") {
			t.Errorf("the old version is not named: %v", err)
		}
	}
}
