// Package history tells the story of one user: which runs had to do with the user and how they ended, the
// receipts, and the copies that R2 keeps.
package history

import (
	"cmp"
	"context"
	"slices"

	"github.com/dbmigrate/dbmigrate/internal/parallel"
	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/internal/runs"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// What an event is, promised in docs/scripting.md.
const (
	RunEvent     = "run"     // a run had to do with the user
	ReceiptEvent = "receipt" // R2's copy of a receipt
	CopyEvent    = "copy"    // an object in R2 with the user's data
)

// Event is one line of the story (docs/scripting.md).
type Event struct {
	User userdb.UserID `json:"user"`
	Kind string        `json:"kind"`
	At   int64         `json:"at"` // Unix milliseconds; of a run, when it began
	Run  string        `json:"run,omitempty"`

	Action   string       `json:"action,omitempty"`
	State    record.State `json:"state,omitempty"`
	By       string       `json:"by,omitempty"`
	Via      string       `json:"via,omitempty"`
	Job      string       `json:"job,omitempty"`
	Reason   string       `json:"reason,omitempty"` // the operator's
	Outcome  string       `json:"outcome,omitempty"`
	Detail   string       `json:"detail,omitempty"` // what the run said of the user
	Bytes    int64        `json:"bytes"`
	Claim    userdb.Claim `json:"claim,omitempty"`
	TookMs   int64        `json:"tookMs,omitempty"`
	WindowMs int64        `json:"windowMs,omitempty"`

	Key    userdb.ObjectKey `json:"key,omitempty"`    // of a receipt or a copy
	What   string           `json:"what,omitempty"`   // of a copy: the file's state, or why there is one
	Digest string           `json:"digest,omitempty"` // of a receipt: of all rows
}

// Files is the bucket, as far as a story needs it.
type Files interface {
	record.Files
	userfile.Reader
}

// Source is where a story is read from: R2 alone, and this machine's records. It works while the Worker and
// the Cloudflare API are down.
type Source struct {
	Files  Files
	Layout userdb.Layout
	Place  *record.Place
	Newest int // how many runs are looked through
	Warn   func(error)
}

// Story is what is known of a user.
type Story struct {
	User     userdb.UserID
	Events   []Event // the oldest first
	Runs     int     // looked through
	Unread   int     // records that could not be read
	Receipts int
	Copies   int
}

// readAtOnce is how many records are read side by side.
const readAtOnce = 8

// Of tells the story of a user.
func Of(ctx context.Context, s *Source, u userdb.UserID) (*Story, error) {
	story := &Story{User: u}
	for _, part := range []func(context.Context, *Story) error{s.runs, s.receipts, s.copies, s.file, s.archive} {
		if err := part(ctx, story); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(story.Events, func(a, b Event) int { return cmp.Compare(a.At, b.At) })
	for _, e := range story.Events {
		switch e.Kind {
		case ReceiptEvent:
			story.Receipts++
		case CopyEvent:
			story.Copies++
		}
	}
	return story, nil
}

// runs reads the newest records for lines about the user.
func (s *Source) runs(ctx context.Context, story *Story) error {
	all, err := s.Place.List(ctx, s.Newest, func(err error) { story.Unread++; s.Warn(err) })
	if err != nil {
		return err
	}
	story.Runs = len(all)
	found := make([][]Event, len(all))
	failed := make([]error, len(all))
	err = parallel.Each(ctx, len(all), readAtOnce, func(ctx context.Context, i int) error {
		found[i], failed[i] = s.ofRun(ctx, all[i].Begin.Run, story.User)
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	for i, err := range failed {
		if err != nil {
			story.Unread++
			s.Warn(err)
		}
		story.Events = append(story.Events, found[i]...)
	}
	return nil
}

func (s *Source) ofRun(ctx context.Context, id string, u userdb.UserID) (events []Event, err error) {
	run, err := s.Place.Load(ctx, id, func(l record.UserLine) {
		if l.User == u {
			events = append(events, ofLine(u, l))
		}
	})
	if err != nil {
		return nil, err
	}
	if slices.Contains(run.InFlight(), u) {
		events = append(events, Event{User: u, Kind: RunEvent, Outcome: runs.InFlight})
	}
	for i := range events {
		e := &events[i]
		e.At, e.Run, e.State, e.Reason = run.At, id, run.State, run.Reason
		e.Action = cmp.Or(e.Action, run.Action)
		e.By, e.Via, e.Job = run.Who.Name, run.Who.Via, run.Who.Job
	}
	return events, nil
}

func ofLine(u userdb.UserID, l record.UserLine) Event {
	e := Event{
		User:     u,
		Kind:     RunEvent,
		Action:   l.Action,
		Outcome:  l.Outcome,
		Bytes:    l.Bytes,
		Claim:    l.Claim,
		TookMs:   l.TookMs,
		WindowMs: l.WindowMs,
		Detail:   l.Reason,
	}
	if l.Error != nil {
		e.Detail = l.Error.Message
	}
	switch {
	case l.LeftBehind != "":
		e.Key, e.What = l.LeftBehind, leftBehind
	case l.Archived != "":
		e.Key, e.What = l.Archived, archived
	}
	return e
}

// receipts reads R2's copies of the user's receipts.
func (s *Source) receipts(ctx context.Context, story *Story) error {
	objects, err := s.listed(ctx, userfile.ReceiptFolder+string(story.User)+"/")
	if err != nil {
		return err
	}
	for _, o := range objects {
		u, claim, isReceipt := userfile.ReceiptOwner(o.Key)
		if !isReceipt || u != story.User {
			continue
		}
		receipt, err := userfile.ReadReceipt(ctx, s.Files, u, claim)
		if err != nil || receipt == nil {
			if err != nil && ctx.Err() == nil {
				story.Unread++
				s.Warn(err)
			}
			continue
		}
		story.Events = append(story.Events, ofReceipt(o.Key, receipt))
	}
	return ctx.Err()
}

func ofReceipt(key userdb.ObjectKey, r *wire.Receipt) Event {
	return Event{
		User: r.User, Kind: ReceiptEvent, At: r.MigratedAt, Run: r.Run, Bytes: r.SourceBytes,
		Claim: r.Claim, Key: key, Digest: r.Digest.Database,
	}
}

// What a copy is, beside the states of a file.
const (
	leftBehind  = "left-behind" // by rollback --discard-writes
	overwritten = "overwritten" // by an old path, behind the fence
	archived    = "archived"    // by gc
)

// copies finds what is kept beside the user's file.
func (s *Source) copies(ctx context.Context, story *Story) error {
	for what, prefix := range map[string]string{
		leftBehind:  migrate.LeftBehindOf(story.User),
		overwritten: migrate.OverwrittenOf(story.User),
	} {
		objects, err := s.listed(ctx, prefix)
		if err != nil {
			return err
		}
		for _, o := range objects {
			story.Events = append(story.Events, ofCopy(story.User, o, what))
		}
	}
	return nil
}

// file looks at the user's file: the one that serves, the one that is kept, or the tombstone.
func (s *Source) file(ctx context.Context, story *Story) error {
	files := userfile.Source{Files: s.Files, Layout: s.Layout}
	version, err := files.Look(ctx, story.User)
	if err != nil || version.Absent {
		return err
	}
	story.Events = append(story.Events, ofCopy(story.User, version.Object, version.Word()))
	return nil
}

// archive looks whether what gc archived is still there.
func (s *Source) archive(ctx context.Context, story *Story) error {
	for _, e := range slices.Clone(story.Events) {
		if e.Kind != RunEvent || e.What != archived {
			continue
		}
		object, err := s.Files.Head(ctx, e.Key)
		if userdb.KindOf(err) == userdb.NotFound {
			continue
		}
		if err != nil {
			return err
		}
		story.Events = append(story.Events, ofCopy(story.User, object, archived))
	}
	return nil
}

func ofCopy(u userdb.UserID, o userdb.Object, what string) Event {
	return Event{User: u, Kind: CopyEvent, At: o.LastModified.UnixMilli(), Bytes: o.Size, Key: o.Key, What: what}
}

func (s *Source) listed(ctx context.Context, prefix string) (all []userdb.Object, err error) {
	err = s.Files.List(ctx, prefix, "", func(objects []userdb.Object, _ []string) error {
		all = append(all, objects...)
		return nil
	})
	return all, err
}

// Known says whether there is anything to tell.
func (s *Story) Known() bool { return len(s.Events) > 0 }

// sizeText is empty where nothing was moved.
func sizeText(e Event) string {
	if e.Bytes == 0 {
		return ""
	}
	return units.FormatSize(e.Bytes)
}
