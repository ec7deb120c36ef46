package inspect

import (
	"encoding/json"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// TestChangesOfVerify: the tables that the application changed, made or dropped since, as scripts read them.
func TestChangesOfVerify(t *testing.T) {
	table := func(name, digest string) wire.TableDigest {
		return wire.TableDigest{Name: name, Rows: 1, Digest: digest}
	}
	before := wire.DatabaseDigest{Tables: []wire.TableDigest{table("a", "1"), table("b", "1"), table("c", "1")}}
	now := wire.DatabaseDigest{Tables: []wire.TableDigest{table("a", "1"), table("b", "2"), table("d", "1")}}
	got, err := json.Marshal(changed(before, now))
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"name":"b","rows":1,"digest":"2"},{"name":"d","rows":1,"digest":"1"},{"name":"c","rows":0,"digest":""}]`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
