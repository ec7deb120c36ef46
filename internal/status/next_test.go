package status_test

import (
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/world"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// TestNextNamesTheUser: what status says can be run as it stands.
func TestNextNamesTheUser(t *testing.T) {
	const alice userdb.UserID = "alice"
	w := world.New(t.TempDir())
	claim := wire.ClaimRequest{Intent: wire.IntentMigrate, ID: "0123456789abcdef"}
	if _, err := w.Objects.Claim(t.Context(), alice, claim); err != nil {
		t.Fatal(err)
	}
	state, err := w.Engine("run", w.Bucket, w.Objects, w.Objects).Inspect().Status(t.Context(), alice)
	if err != nil || state.Next != "dbmigrate rollback alice" {
		t.Errorf("%+v, %v", state, err)
	}
}
