package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Where a status comes from, promised in docs/scripting.md.
const (
	sourceSides = "sides" // both sides were asked: the truth
	sourceFlags = "flags" // flags and a listing: hints
)

// contradiction refuses flags that do not go together.
func (o *statusOptions) contradiction(args []string) error {
	ways := 0
	for _, chosen := range []bool{len(args) > 0, o.run != "", o.all} {
		if chosen {
			ways++
		}
	}
	switch {
	case ways > 1:
		return usageError(
			"choose users",
			"",
			"users on the command line, --run and --all exclude each other",
			"",
		)
	case o.prefix != "" && (len(args) > 0 || o.run != ""):
		return usageError("choose users", "", "--prefix is for everybody's status", "leave it out")
	}
	return nil
}

// usersOfRun names the users of a run, in the order in which they were done, and how they ended then.
func (a *app) usersOfRun(
	cmd *cobra.Command,
	o *statusOptions,
) ([]userdb.UserID, map[userdb.UserID]string, error) {
	c, err := a.source(cmd).Config()
	if err != nil {
		return nil, nil, err
	}
	place, err := a.records(c)
	if err != nil {
		return nil, nil, err
	}
	var users []userdb.UserID
	outcomes := map[userdb.UserID]string{}
	run, err := place.Load(cmd.Context(), o.run, func(l record.UserLine) {
		if _, again := outcomes[l.User]; !again {
			users = append(users, l.User)
		}
		outcomes[l.User] = l.Outcome
	})
	if err == nil && run.Bucket != c.Bucket {
		err = usageError("read run", o.run, "it was about the bucket "+run.Bucket, "say --bucket "+run.Bucket)
	}
	if err == nil {
		a.out.Say(
			"run %s: %s of %s by %s, %s; %s of its %s are in the record",
			o.run,
			run.Action,
			run.Bucket,
			run.Who.Name,
			run.State,
			units.Plural(len(users), "user"),
			units.Plural(run.Begin.Users, "user"),
		)
	}
	return users, outcomes, err
}

// statusByFlags shows who has a flag, and counts the others.
func (a *app) statusByFlags(ctx context.Context, e *migrate.Engine, prefix string) error {
	s, err := e.Survey(ctx, prefix)
	if err != nil {
		return fmt.Errorf("%w; `dbmigrate status USER...` and --all do without the flags", err)
	}
	lines := make([]stateLine, len(s.Flagged))
	for i, f := range s.Flagged {
		lines[i] = flagLine(f)
	}
	if err := a.printStatus(lines, statusTotals{Source: sourceFlags, File: s.Unflagged}); err != nil {
		return err
	}
	a.out.Say(
		"status: by the flags and a listing, which are hints; `dbmigrate status USER...` and --all ask both sides, and find what was left half-done",
	)
	return nil
}

// flagLine is what a flag alone says of a user.
func flagLine(f migrate.FlaggedUser) stateLine {
	l := stateLine{
		Source: sourceFlags,
		State: migrate.State{
			User:   f.User,
			Serves: migrate.SideStore,
			Gen:    f.Meta.Gen,
			Lin:    f.Meta.Lineage,
			Bytes:  f.Meta.Bytes,
			At:     f.Meta.At,
			Run:    f.Meta.Run,
		},
	}
	if f.Split {
		l.Serves = migrate.SideSplit
	}
	if !f.Listed {
		l.Problem, l.Next = "a flag, but nothing in the bucket", "dbmigrate status "+string(f.User)
	}
	return l
}

// flagJSON is a line that comes from a flag: it has no field that a flag does not tell.
type flagJSON struct {
	User    userdb.UserID `json:"user"`
	Source  string        `json:"source"`
	Serves  migrate.Side  `json:"serves"`
	Gen     userdb.Claim  `json:"gen"`
	Lin     userdb.Claim  `json:"lin"`
	Bytes   int64         `json:"bytes"`
	At      int64         `json:"migratedAt,omitempty"`
	Run     string        `json:"run,omitempty"`
	Problem string        `json:"problem,omitempty"`
	Next    string        `json:"next,omitempty"`
}

// MarshalJSON writes the promised shape.
func (l stateLine) MarshalJSON() ([]byte, error) {
	if l.Source == sourceFlags {
		return json.Marshal(
			flagJSON{
				l.User,
				l.Source,
				l.Serves,
				l.Gen,
				l.Lin.Claim(),
				l.Bytes,
				l.At,
				l.Run,
				l.Problem,
				l.Next,
			},
		)
	}
	type plain stateLine
	return json.Marshal(plain(l))
}
