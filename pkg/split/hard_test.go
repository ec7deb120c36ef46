package split_test

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harddb"
	"github.com/dbmigrate/dbmigrate/pkg/split"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// referee compares two files without any code of the program; -r leaves rowids out that no column shows.
const referee = "../../scripts/dbdigest.py"

// hardSeeds is how many generated databases one test run takes.
const hardSeeds = 30

// Every database is divided into parts that are together the database, or refused with a name.
func TestHardDatabases(t *testing.T) {
	ran, divided := 0, 0
	for _, seed := range effort.Numbered(t, "seeds", hardSeeds, 3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			ran++
			path := filepath.Join(t.TempDir(), "hard.sqlite")
			made, err := harddb.Build(context.Background(), path, uint64(seed))
			if err != nil {
				t.Fatal(err)
			}
			if splitInHalves(t, path, uint64(seed)) {
				divided++
			} else if made.Refusal == "" {
				t.Logf("refused: %s", made)
			}
		})
	}
	if ran == hardSeeds && divided < hardSeeds/3 {
		t.Errorf("only %d of %d were divided", divided, hardSeeds)
	}
}

// splitInHalves splits a database by a rule that has nothing to do with its content, and says whether that
// was possible.
func splitInHalves(t *testing.T, path string, seed uint64) bool {
	t.Helper()
	ctx := context.Background()
	policy, err := halves(ctx, path, seed)
	if err != nil {
		wantNamedRefusal(t, err)
		return false
	}
	plan, err := split.NewPlan(ctx, path, policy, at)
	if err != nil {
		wantNamedRefusal(t, err)
		return false
	}
	hot, cold, err := plan.WriteParts(ctx, t.TempDir())
	if err != nil {
		wantNamedRefusal(t, err)
		return false
	}
	whole := filepath.Join(t.TempDir(), "whole.sqlite")
	if err := split.Union(ctx, hot, cold, whole); err != nil {
		t.Fatal(err)
	}
	if got, want := digest(t, whole), digest(t, path); got.Database != want.Database {
		t.Errorf("together the parts are another database: %v, want %v", got, want)
	}
	if out, err := exec.Command("python3", referee, path, whole).CombinedOutput(); err != nil {
		t.Errorf("dbdigest.py: %v: %s", err, out)
	}
	return !plan.Empty()
}

func wantNamedRefusal(t *testing.T, err error) {
	t.Helper()
	t.Log(err)
	var named *userdb.Error
	if !errors.As(err, &named) ||
		named.Kind != userdb.Blocked && named.Kind != userdb.Damaged && named.Kind != userdb.NotSQLite {
		t.Errorf("kind %q: %v", userdb.KindOf(err), err)
	}
}

// halves makes about half of the rows of every second table cold, and whatever belongs to them.
func halves(ctx context.Context, path string, seed uint64) (*split.Policy, error) {
	f, err := sqlitefile.Open(ctx, path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p := &split.Policy{StayHot: true, Tables: map[string]split.TableRule{}}
	for i, table := range f.Tables() {
		if table.Kind == sqlitefile.VirtualTable || table.Name == "sqlite_sequence" ||
			table.Name == "sqlite_stat1" {
			continue
		}
		rule := split.TableRule{ApplicationIDs: true, AcceptTriggers: true}
		if (uint64(i)+seed)%2 == 0 && len(table.Columns) > 0 {
			rule.Where = fmt.Sprintf(
				`length(quote("%s")) %% 2 = %d`,
				doubled(table.Columns[(i+int(seed))%len(table.Columns)].Name),
				seed/2%2,
			)
		}
		p.Tables[table.Name] = rule
	}
	return p, nil
}

func doubled(name string) string {
	var out []rune
	for _, r := range name {
		if r == '"' {
			out = append(out, r)
		}
		out = append(out, r)
	}
	return string(out)
}
