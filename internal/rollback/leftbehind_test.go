package rollback

import (
	"fmt"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

func TestChangedTables(t *testing.T) {
	table := func(name, digest string) wire.TableDigest {
		return wire.TableDigest{Name: name, Rows: 1, Digest: digest}
	}
	before := wire.DatabaseDigest{
		Schema: "s",
		Tables: []wire.TableDigest{table("a", "1"), table("b", "1"), table("c", "1")},
	}
	now := wire.DatabaseDigest{
		Schema: "t",
		Tables: []wire.TableDigest{table("a", "1"), table("b", "2"), table("d", "1")},
	}
	if got, want := fmt.Sprint(changedTables(before, now)), "[table b table d table c (dropped) the schema]"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := changedTables(before, before); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}
