package main

import (
	"bytes"
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/report"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// TestAfterwardsIsRecorded: the record names who was taken back after he was moved; the last line of a user is how he ended.
func TestAfterwardsIsRecorded(t *testing.T) {
	written, err := record.Create(t.TempDir(), record.Begin{Record: record.Version, Run: "r"})
	if err != nil {
		t.Fatal(err)
	}
	out := report.New(report.Options{Out: new(bytes.Buffer), Err: new(bytes.Buffer), Format: report.JSON})
	r := &fleetRun{app: &app{out: out, watch: watch{record: written}}, action: migrate.ActionMigrate, inFlight: map[userdb.UserID]migrate.Stage{},
		account: account{Outcomes: map[migrate.Outcome]int{}}, sheet: report.NewSheet(out, resultColumns)}
	r.afterwards(migrate.Result{User: "ann", Action: migrate.ActionRollback, Outcome: migrate.OutcomeRestored})
	if err := written.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(written.Path())
	if err != nil || !strings.Contains(string(content), `"outcome":"restored"`) {
		t.Errorf("%v: %s", err, content)
	}
}

// TestSummaryComesBeforeTheCopies: who reads stdout does not wait for copies in R2.
func TestSummaryComesBeforeTheCopies(t *testing.T) {
	var stdout, stderr, told bytes.Buffer
	a := &app{out: report.New(report.Options{Out: &stdout, Err: &stderr, Format: report.JSON}), signals: &signals{}}
	a.watch.stop = append(a.watch.stop, func() { told.WriteString(stdout.String() + stderr.String()) })
	r := &fleetRun{app: a, engine: &migrate.Engine{Concurrency: 1}, action: migrate.ActionMigrate, do: func(_ context.Context, u userdb.UserID) migrate.Result {
		return migrate.Result{User: u, Action: migrate.ActionMigrate, Outcome: migrate.OutcomeMigrated, Open: true}
	}}
	_ = r.run(t.Context(), fleet(1))
	for _, want := range []string{`"summary"`, "open: user-0"} {
		if !strings.Contains(told.String(), want) {
			t.Errorf("%s comes after the copies: %s", want, &told)
		}
	}
}

// TestCommandLineNamesNobody: records say how a command was given, and not whom it was about.
func TestCommandLineNamesNobody(t *testing.T) {
	cmd := newRollback(&app{})
	given := []string{"--exclude", "ann", "--exclude", "bob", "--confirm", "discard the writes of eve", "--discard-writes", "eve"}
	if err := cmd.ParseFlags(given); err != nil {
		t.Fatal(err)
	}
	line := commandLine(cmd, cmd.Flags().Args())
	if want := []string{"rollback", "--confirm=(given)", "--discard-writes=true", "--exclude=(given)", "(1 user named)"}; !slices.Equal(line, want) {
		t.Errorf("%q", line)
	}
	gc := newGC(&app{})
	if err := gc.ParseFlags([]string{"--confirm", "3f9a0c1b22de"}); err != nil {
		t.Fatal(err)
	}
	if line := commandLine(gc, nil); !slices.Contains(line, "--confirm=3f9a0c1b22de") {
		t.Errorf("%q", line)
	}
}
