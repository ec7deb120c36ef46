package main

import (
	"database/sql"
	"errors"
	"os/exec"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
	_ "modernc.org/sqlite"
)

// runSQL runs the statements of one file in a database, which is made where it does not exist: "sqlite
// database file".
func runSQL(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: sqlite database file")
	}
	db, err := sql.Open("sqlite", "file:"+ts.MkAbs(args[0]))
	ts.Check(err)
	_, err = db.Exec(ts.ReadFile(args[1]))
	ts.Check(errors.Join(err, db.Close()))
}

// sameContent compares two databases, cell by cell, by a program that shares no code with ours: "same left
// right".
func sameContent(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: same left right")
	}
	referee, err := filepath.Abs("../../scripts/dbdigest.py")
	ts.Check(err)
	out, err := exec.Command("python3", referee, ts.MkAbs(args[0]), ts.MkAbs(args[1])).CombinedOutput()
	if err != nil {
		ts.Fatalf("%v: %s", err, out)
	}
}
