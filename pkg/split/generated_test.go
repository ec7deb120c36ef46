package split_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/appdb"
	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
)

// Whatever rules are chosen for the application's databases: the parts are the database, nothing crosses, and
// after writes on both sides the union has them all.
func TestGeneratedPolicies(t *testing.T) {
	for _, seed := range effort.Numbered(t, "seeds", 8, 1) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(uint64(seed), 0x73706c6974))
			path := filepath.Join(t.TempDir(), "user.sqlite")
			if _, err := appdb.Build(context.Background(), path, uint64(seed), 80_000); err != nil {
				t.Fatal(err)
			}
			change(t, path, "DELETE FROM games WHERE id % 11 = 3", "UPDATE exports SET project_id = 'nowhere' WHERE id % 7 = 2")
			chosen := randomPolicy(random)
			hot, cold := parts(t, path, policy(t, chosen))
			wantApart(t, hot, cold)
			whole := wantUnion(t, hot, cold)
			if out, err := exec.Command("python3", referee, path, whole).CombinedOutput(); err != nil {
				t.Errorf("dbdigest.py: %v: %s\n%s", err, out, chosen)
			}
			for _, part := range []string{hot, cold} {
				change(t, part, "UPDATE clips SET rating = 9 WHERE id % 3 = 0", "DELETE FROM exports WHERE id % 5 = 0")
			}
			change(t, path, "UPDATE clips SET rating = 9 WHERE id % 3 = 0", "DELETE FROM exports WHERE id % 5 = 0")
			if out, err := exec.Command("python3", referee, path, wantUnion(t, hot, cold)).CombinedOutput(); err != nil {
				t.Errorf("dbdigest.py after writes: %v: %s\n%s", err, out, chosen)
			}
		})
	}
}

// randomPolicy gives each table a rule or none, with every setting.
func randomPolicy(random *rand.Rand) string {
	var b strings.Builder
	b.WriteString("crossing = 'stay-hot'\n")
	for _, t := range []struct{ table, where, more string }{
		{"games", "played_at % 10 < %d", ""}, {"clips", "id % 10 < %d", "ids = 'application'\n"}, {"projects", "created_at % 10 < %d", ""},
		{"exports", "id % 10 < %d", "ids = 'application'\nreferences = [{ columns = ['project_id'], table = 'projects' }]\n"},
	} {
		fmt.Fprintf(&b, "[tables.%s]\n%s", t.table, t.more)
		if t.table == "games" || random.IntN(3) > 0 {
			fmt.Fprintf(&b, "where = '%s'\n", strings.Replace(t.where, "%d", fmt.Sprint(random.IntN(11)), 1))
			if random.IntN(3) == 0 {
				b.WriteString("follow = 'own'\n")
			}
		}
	}
	return b.String()
}

// wantApart demands that no row refers to the other side.
func wantApart(t *testing.T, hot, cold string) {
	t.Helper()
	for _, pair := range [][2]string{{hot, cold}, {cold, hot}} {
		for _, r := range [][3]string{{"clips", "game_id", "games"}, {"exports", "project_id", "projects"}} {
			here := rows(t, pair[0], fmt.Sprintf("SELECT DISTINCT %s FROM %s", r[1], r[0]))
			there := map[string]bool{}
			for _, id := range strings.Fields(rows(t, pair[1], "SELECT id FROM "+r[2])) {
				there[id] = true
			}
			for _, id := range strings.Fields(here) {
				if there[id] {
					t.Errorf("%s of %s refers to %s %s of %s", r[0], filepath.Ext(pair[0]), r[2], id, filepath.Ext(pair[1]))
				}
			}
		}
	}
}

func wantUnion(t *testing.T, hot, cold string) string {
	t.Helper()
	whole, err := union(t, hot, cold)
	if err != nil {
		t.Fatal(err)
	}
	return whole
}
