package status

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Where a status comes from, promised in docs/scripting.md.
const (
	sourceSides = "sides" // both sides were asked: the truth
	sourceFlags = "flags" // flags and a listing: hints
)

// ByFlags shows who has a flag, and counts the others.
func ByFlags(ctx context.Context, e *migrate.Engine, prefix string) (*Report, error) {
	s, err := e.Survey(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("%w; `dbmigrate status USER...` and --all do without the flags", err)
	}
	r := &Report{Totals: Totals{Source: sourceFlags, File: s.Unflagged}}
	for _, f := range s.Flagged {
		r.Lines = append(r.Lines, flagLine(f))
	}
	return r, nil
}

// flagLine is what a flag alone says of a user.
func flagLine(f migrate.FlaggedUser) Line {
	l := Line{
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
func (l Line) MarshalJSON() ([]byte, error) {
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
	type plain Line
	return json.Marshal(plain(l))
}
