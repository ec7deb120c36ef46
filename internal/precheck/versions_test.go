package precheck

import (
	"context"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// deployment answers as one that is gradual: by turns.
type deployment struct {
	versions []string
	asked    int
}

func (d *deployment) Hello(context.Context) (wire.Hello, error) {
	version := d.versions[d.asked%len(d.versions)]
	d.asked++
	return wire.Hello{Worker: version}, nil
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
		err := SameVersion(t.Context(), &deployment{versions: c.versions}, c.first, 5)
		if refused := userdb.KindOf(err) == userdb.Usage; refused != c.refused {
			t.Errorf("%+v: %v", c, err)
		}
		if c.refused && !strings.Contains(err.Error(), "1.1.0 (") {
			t.Errorf("the old version is not named: %v", err)
		}
	}
}
