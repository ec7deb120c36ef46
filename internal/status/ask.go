package status

import (
	"context"

	"github.com/dbmigrate/dbmigrate/internal/connect"
	"github.com/dbmigrate/dbmigrate/internal/runs"
	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// newestRuns is how many runs are looked through for users who were left in flight.
const newestRuns = 20

// Question is about users who are named, those of a run, or all; none of these is everybody by the flags.
type Question struct {
	Named  []userdb.UserID
	Run    string
	All    bool
	Prefix string
}

// Ask asks in the way that was chosen. What it finds in flight is told on the way.
func (q Question) Ask(
	ctx context.Context,
	source *connect.Source,
	c *connect.Connection,
	p *Printer,
) (*Report, error) {
	switch {
	case q.Run != "":
		return q.ofRun(ctx, source, c, p.out)
	case q.All:
		return OfAll(ctx, c.Engine, q.Prefix, func(err error) { selection.WarnUnread(p.out, err) })
	case len(q.Named) > 0:
		return OfUsers(ctx, c.Engine, q.Named, nil)
	}
	open, err := leftInFlight(ctx, source, c, p.out)
	if err != nil {
		return nil, err
	}
	return ByFlags(ctx, c.Engine, q.Prefix, open, p.Add)
}

func (q Question) ofRun(
	ctx context.Context,
	source *connect.Source,
	c *connect.Connection,
	out *terminal.Output,
) (*Report, error) {
	place, err := source.Records(c.Config)
	if err != nil {
		return nil, err
	}
	of, err := runs.UsersOf(ctx, place, q.Run, c.Config.Bucket)
	if err != nil {
		return nil, err
	}
	out.Say("run %s: %s of %s by %s, %s; users in the record: %d of %d", q.Run, of.Run.Action, of.Run.Bucket,
		of.Run.Who.Name, of.Run.State, len(of.IDs), of.Run.Begin.Users)
	if text := runs.InFlightText(of.Run); text != "" {
		out.Warn("%s: they are asked, too", text)
	} else if text := runs.AsOf(of.Run); text != "" {
		out.Say("run %s: %s", q.Run, text)
	}
	return OfUsers(ctx, c.Engine, of.IDs, of.Outcomes)
}

// leftInFlight says who was in flight in runs without an end. Records that cannot be read are a warning:
// nothing is decided by them.
func leftInFlight(
	ctx context.Context,
	source *connect.Source,
	c *connect.Connection,
	out *terminal.Output,
) (users []userdb.UserID, err error) {
	warn := func(err error) { out.Warn("%v", err) }
	place, err := source.Records(c.Config)
	if err != nil {
		return nil, err
	}
	open, err := runs.OpenOf(ctx, place, newestRuns, warn)
	if err != nil && ctx.Err() == nil {
		warn(err)
	}
	for _, o := range open {
		out.Warn("%s: they are asked at both sides", runs.InFlightText(o.Run))
		users = append(users, o.Users...)
	}
	return users, ctx.Err()
}

// FoundNobody warns of a name that nobody has, and where there is nobody at all: neither is a success.
func (q Question) FoundNobody(r *Report, out *terminal.Output) bool {
	if unknown := r.Unknown(); len(q.Named) > 0 && len(unknown) > 0 {
		out.Warn("status: no such user: %s: no file, and nothing in the Durable Object; check the name and --layout",
			unknown[0])
		return true
	}
	if len(r.Lines)+r.Shown == 0 && r.Totals.File == 0 {
		out.Warn("status: there is nobody to tell of: check --prefix, --bucket and --layout")
		return true
	}
	return false
}
