package gcplan

import (
	"fmt"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/gc"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// TestMaxDelete lets the longest migrated go first, and keeps the rest with a reason.
func TestMaxDelete(t *testing.T) {
	plan := gc.Plan{
		Free: []gc.Item{
			{User: "a", Bytes: 10, MigratedAt: 3},
			{User: "b", Bytes: 20, MigratedAt: 1},
			{User: "c", Bytes: 30, MigratedAt: 2},
		},
	}
	for typed, want := range map[string]string{"": "[a b c]", "0": "[]", "1": "[b]", "2": "[b c]", "9": "[a b c]", "30B": "[a b]", "50B": "[b c]", "1MB": "[a b c]"} {
		var limit Limit
		if typed != "" {
			if err := limit.Set(typed); err != nil {
				t.Fatal(err)
			}
		}
		capped := limit.Within(plan)
		users := []userdb.UserID{}
		for _, item := range capped.Free {
			users = append(users, item.User)
		}
		if got := fmt.Sprint(users); got != want || len(capped.Free)+len(capped.Keep) != len(plan.Free) {
			t.Errorf("--max-delete %q frees %s and keeps %d, want %s", typed, got, len(capped.Keep), want)
		}
	}
	for _, typed := range []string{"-1", "many", "1K"} {
		if err := new(Limit).Set(typed); err == nil {
			t.Errorf("--max-delete %s is accepted", typed)
		}
	}
}
