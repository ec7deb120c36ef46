package split_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/appdb"
	"github.com/dbmigrate/dbmigrate/pkg/split"
)

// The policy that docs/split.md shows is one, and divides the application's databases.
func TestPolicyOfTheDocs(t *testing.T) {
	page, err := os.ReadFile("../../docs/split.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```toml\n")
	text, _, found := strings.Cut(rest, "```")
	if !found {
		t.Fatal("the page shows no policy")
	}
	path := filepath.Join(t.TempDir(), "user.sqlite")
	if _, err := appdb.Build(context.Background(), path, 7, appdb.S); err != nil {
		t.Fatal(err)
	}
	plan, err := split.NewPlan(context.Background(), path, policy(t, text), at)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range plan.Tables {
		if table.ColdRows == 0 || table.HotRows == 0 {
			t.Errorf("%+v", table)
		}
	}
}
