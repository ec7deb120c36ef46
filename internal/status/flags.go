package status

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

// Where a status comes from, promised in docs/scripting.md.
const (
	sourceSides = "sides" // both sides were asked: the truth
	sourceFlags = "flags" // flags and a listing: hints
)

// mostAsked is how many users a status by flags asks at both sides: enough for those who were in flight.
const mostAsked = 1000

// ByFlags shows who has a flag, as flags and listing come, and counts the others. It keeps nobody but open
// users, who were left in flight, and those with a flag and nothing in the bucket: of them flags say too
// little, and both sides are asked.
func ByFlags(
	ctx context.Context,
	e *migrate.Engine,
	prefix string,
	open []userdb.UserID,
	show func(Line) error,
) (*Report, error) {
	r := &Report{Totals: Totals{Source: sourceFlags}}
	doubtful := map[userdb.UserID]*Line{} // nil: there is no flag
	for _, u := range open {
		if strings.HasPrefix(string(u), prefix) {
			doubtful[u] = nil
		}
	}
	var showing error
	unflagged, err := e.Inspect().Survey(ctx, prefix, func(f inspect.FlaggedUser) error {
		l := flagLine(f)
		_, wasOpen := doubtful[f.User]
		switch {
		case wasOpen || !f.Listed && len(doubtful) < mostAsked:
			doubtful[f.User] = &l
			return nil
		case !f.Listed:
			r.Unasked++
		}
		r.Shown++
		showing = show(l)
		return showing
	})
	switch {
	case showing != nil:
		return nil, showing
	case err != nil:
		return nil, fmt.Errorf("%w; `dbmigrate status USER...` and --all do without the flags", err)
	}
	r.Totals.File = unflagged
	return r, r.settle(ctx, e, doubtful)
}

// settle asks both sides of users, and takes what they say instead of what their flags said. Who has no flag
// and is simply in R2 is counted, and not listed.
func (r *Report) settle(ctx context.Context, e *migrate.Engine, doubtful map[userdb.UserID]*Line) error {
	if len(doubtful) == 0 {
		return nil
	}
	users := slices.Sorted(maps.Keys(doubtful))
	for len(users) > mostAsked {
		last := users[len(users)-1]
		users = users[:len(users)-1]
		r.Unasked++
		if l := doubtful[last]; l != nil {
			r.Lines = append(r.Lines, *l)
		}
	}
	asked, err := OfUsers(ctx, e, users, nil)
	if err != nil {
		return err
	}
	for _, l := range asked.Lines {
		switch {
		case doubtful[l.User] != nil:
			r.Lines = append(r.Lines, l)
		case l.Serves == userfile.SideUnknown: // the listing has not counted this user
			r.Lines = append(r.Lines, l)
		case l.Error != nil || l.Problem != "" || l.Serves != userfile.SideFile:
			r.Lines = append(r.Lines, l)
			r.Totals.File = max(0, r.Totals.File-1) // the listing has counted this user
		}
	}
	return nil
}

// flagLine is what a flag alone says of a user.
func flagLine(f inspect.FlaggedUser) Line {
	l := Line{
		Source: sourceFlags,
		State: inspect.State{
			User:   f.User,
			Serves: userfile.SideObject,
			Gen:    f.Meta.Gen,
			Lin:    f.Meta.Lineage,
			Bytes:  f.Meta.Bytes,
			At:     f.Meta.At,
			Run:    f.Meta.Run,
		},
	}
	if f.Split {
		l.Serves = userfile.SideSplit
	}
	return l
}

// flagJSON is a line that comes from a flag: it has no field that a flag does not tell.
type flagJSON struct {
	User    userdb.UserID `json:"user"`
	Source  string        `json:"source"`
	Serves  userfile.Side `json:"servedBy"`
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
