package preflight_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"

	"github.com/dbmigrate/dbmigrate/pkg/preflight"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
	_ "modernc.org/sqlite" // the driver
)

// Check says whether a Durable Object can hold a file exactly, and names what it cannot hold.
func ExampleCheck() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "database.sqlite")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = db.Exec(
		"CREATE TABLE games (id INTEGER PRIMARY KEY, title TEXT); CREATE TABLE sqlitex_ok (x); CREATE TABLE _cf_taken (x)",
	)
	if err != nil || db.Close() != nil {
		fmt.Println(err)
		return
	}
	report, err := preflight.Check(context.Background(), path, wire.DefaultLimits)
	fmt.Println(report.Level, err)
	for _, finding := range report.Findings {
		fmt.Println(finding.Reason, finding.Object)
	}
	// Output:
	// blocked <nil>
	// reserved-name _cf_taken
}
