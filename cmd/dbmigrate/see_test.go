package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/dbmigrate/dbmigrate/internal/fleet"
	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/internal/testkit/faultproxy"
	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

func seeCommands(s *stack.Stack) map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){
		"run-id":       runID,
		"object-is":    func(ts *testscript.TestScript, _ bool, args []string) { objectIs(ts, s, args) },
		"audit-object": func(ts *testscript.TestScript, _ bool, args []string) { auditObject(ts, s, args) },
	}
}

// runID sets a variable to the run that the command before named in its summary: "run-id variable".
func runID(ts *testscript.TestScript, _ bool, args []string) {
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		var last struct{ Summary struct{ Run string } }
		if json.Unmarshal([]byte(line), &last) == nil && last.Summary.Run != "" {
			ts.Setenv(args[0], last.Summary.Run)
			return
		}
	}
	ts.Fatalf("there is no run in the output")
}

// objectIs demands that an object holds exactly what a file does: "object-is key file".
func objectIs(ts *testscript.TestScript, s *stack.Stack, args []string) {
	if got, want := objectText(ts, s, args[0]), ts.ReadFile(args[1]); got != want {
		ts.Fatalf("%s holds\n%s\nnot\n%s", args[0], got, want)
	}
}

func objectText(ts *testscript.TestScript, s *stack.Stack, key string) string {
	var content bytes.Buffer
	_, err := clientOf(ts, s).Get(context.Background(), userdb.ObjectKey(key), "", &content)
	ts.Check(err)
	return content.String()
}

// auditObject writes the object of an act to a file; its folder is the day of the run: "audit-object run
// file".
func auditObject(ts *testscript.TestScript, s *stack.Stack, args []string) {
	run := args[0]
	key := record.ActPrefix + run[:4] + "-" + run[4:6] + "-" + run[6:8] + "/" + run + ".json"
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(objectText(ts, s, key)), 0o600))
}

// What cannot be written down is a warning, and fails nobody.
func TestRecordsThatCannotBeWritten(t *testing.T) {
	o := newOperator(t, "unrecorded")
	o.proxy.LeaveAlone()
	o.proxy.Reset(func(r faultproxy.Request) faultproxy.Fault {
		if strings.Contains(r.Path, record.Prefix) || strings.Contains(r.Path, record.ActPrefix) {
			return faultproxy.Fault{Status: 403, Body: "<Error><Code>AccessDenied</Code></Error>"}
		}
		return faultproxy.Fault{}
	})
	// The folder of the records is a file: nothing can be written there, not even by root.
	if err := os.MkdirAll(filepath.Join(o.state, "dbmigrate"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(o.state, "dbmigrate", fleet.RecordFolder), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	talk := newWatched()
	cmd := o.command("migrate", "unrecorded")
	cmd.Stderr = talk
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wantExit(t, cmd, exitDone, talk)
	wantIn(t, talk, "write the run record: ", "write the audit line: ", "migrate: 1 user: 1 migrated")
}
