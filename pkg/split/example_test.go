package split_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/dbmigrate/dbmigrate/pkg/split"
)

// A policy says which rows are cold. NewPlan counts them; WriteParts would write the two files.
func ExampleNewPlan() {
	plan, err := planOf(
		"CREATE TABLE clips (id TEXT PRIMARY KEY, made INTEGER); INSERT INTO clips VALUES ('a', 1), ('b', 2), ('c', 1000000000000)",
		"[tables.clips]\nwhere = \"made < :now\"\n",
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, table := range plan.Tables {
		fmt.Println(table.Name, "cold", table.ColdRows, "hot", table.HotRows)
	}
	// Output: clips cold 2 hot 1
}

func planOf(statements, policy string) (*split.Plan, error) {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path, rules := filepath.Join(dir, "database.sqlite"), filepath.Join(dir, "cold.toml")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return nil, err
	}
	if _, err := db.Exec(statements); err != nil {
		return nil, err
	}
	if err := db.Close(); err != nil {
		return nil, err
	}
	if err := os.WriteFile(rules, []byte(policy), 0o600); err != nil {
		return nil, err
	}
	loaded, err := split.LoadPolicy(rules)
	if err != nil {
		return nil, err
	}
	return split.NewPlan(context.Background(), path, loaded, time.Unix(1_800_000_000, 0))
}
