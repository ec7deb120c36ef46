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
	versions []WorkerVersion
	asked    atomic.Int64
}

func (d *deployment) Hello(context.Context) (wire.Hello, error) {
	n := int(d.asked.Add(1))
	v := d.versions[n%len(d.versions)]
	return wire.Hello{Worker: v.Package, VersionID: v.ID}, nil
}

const newID, oldID = "9a8b7c6d-1111-4222-8333-444455556666", "0f1e2d3c-1111-4222-8333-444455556666"

// Old code that answers one request in three is seen, whichever answered first.
func TestGradualDeploymentsAreSeen(t *testing.T) {
	of := func(version, id string) WorkerVersion { return WorkerVersion{version, id} }
	for _, c := range []struct {
		first    WorkerVersion
		versions []WorkerVersion
		refused  string // the text that names the other version
	}{
		{of("1.2.0", ""), []WorkerVersion{of("1.2.0", "")}, ""},
		{of("1.2.0", ""), []WorkerVersion{of("1.2.0", ""), of("1.2.0", ""), of("1.1.0", "")}, "1.1.0 ("},
		{of("1.2.0", ""), []WorkerVersion{of("1.1.0", "")}, "1.1.0 ("},
		// Other code of the application with the same package.
		{of("1.2.0", newID), []WorkerVersion{of("1.2.0", newID)}, ""},
		{of("1.2.0", newID), []WorkerVersion{of("1.2.0", newID), of("1.2.0", oldID)}, "1.2.0 0f1e2d3c ("},
		{of("1.2.0", newID), []WorkerVersion{of("1.2.0", oldID)}, "1.2.0 0f1e2d3c ("},
		// The deploy that adds the binding, too, is gradual.
		{of("1.2.0", newID), []WorkerVersion{of("1.2.0", newID), of("1.2.0", "")}, "1.2.0 ("},
	} {
		found, err := Versions(t.Context(), (&deployment{versions: c.versions}).Hello, 5, 5)
		if err != nil {
			t.Fatal(err)
		}
		err = SameVersion(found, c.first)
		if refused := userdb.KindOf(err) == userdb.Usage; refused != (c.refused != "") {
			t.Errorf("%+v: %v", c, err)
		}
		if err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("the old version is not named: %v", err)
		}
	}
}
