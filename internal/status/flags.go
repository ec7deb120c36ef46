package status

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Where a status comes from, promised in docs/scripting.md.
const (
	sourceSides = "sides" // both sides were asked: the truth
	sourceFlags = "flags" // flags and a listing: hints
)

// mostAsked is how many users a status by flags asks at both sides: enough for those who were in flight.
const mostAsked = 1000

// ByFlags shows who has a flag, and counts the others. Flags say too little of open users, who were left in
// flight, and of those with a flag and nothing in the bucket: they are asked.
func ByFlags(ctx context.Context, e *migrate.Engine, prefix string, open []userdb.UserID) (*Report, error) {
	s, err := e.Survey(ctx, prefix)
	if err != nil {
		return nil, fmt.Errorf("%w; `dbmigrate status USER...` and --all do without the flags", err)
	}
	r := &Report{Totals: Totals{Source: sourceFlags, File: s.Unflagged}}
	doubtful, flagged := map[userdb.UserID]bool{}, map[userdb.UserID]int{}
	for i, f := range s.Flagged {
		r.Lines = append(r.Lines, flagLine(f))
		flagged[f.User] = i
		doubtful[f.User] = !f.Listed
	}
	for _, u := range open {
		doubtful[u] = strings.HasPrefix(string(u), prefix)
	}
	maps.DeleteFunc(doubtful, func(_ userdb.UserID, is bool) bool { return !is })
	return r, r.settle(ctx, e, slices.Sorted(maps.Keys(doubtful)), flagged)
}

// settle asks both sides of users, and puts what they say in the place of what their flags said. Who has no
// flag and is simply in R2 is counted, and not listed.
func (r *Report) settle(
	ctx context.Context,
	e *migrate.Engine,
	doubtful []userdb.UserID,
	flagged map[userdb.UserID]int,
) error {
	if len(doubtful) == 0 {
		return nil
	}
	r.Unasked = max(0, len(doubtful)-mostAsked)
	asked, err := OfUsers(ctx, e, doubtful[:len(doubtful)-r.Unasked], nil)
	if err != nil {
		return err
	}
	for _, l := range asked.Lines {
		at, hasFlag := flagged[l.User]
		switch {
		case hasFlag:
			r.Lines[at] = l
		case l.Error != nil || l.Problem != "" || l.Serves != migrate.SideFile:
			r.Lines = append(r.Lines, l)
			r.Totals.File = max(0, r.Totals.File-1) // the listing has counted this user
		}
	}
	return nil
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
