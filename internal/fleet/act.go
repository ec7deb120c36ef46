package fleet

import (
	"context"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/record"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// The acts that change something without going through users.
const (
	ActMark   = "gc-mark"
	ActUnmark = "gc-unmark"
)

// Leave writes the audit line of such an act, once it is done. What cannot be written is a warning: the act
// is done.
func (w *Watch) Leave(e *migrate.Engine, action string, users int, bytes int64, summary any) {
	now := time.Now().UnixMilli()
	act := w.actOf(e, action, now, users, bytes)
	act.State, act.EndAt, act.Summary = record.ActEnded, now, summary
	w.leave(e, act)
}

func (w *Watch) actOf(e *migrate.Engine, action string, at int64, users int, bytes int64) record.Act {
	return record.Act{
		Audit:   record.ActVersion,
		Run:     e.Run,
		State:   record.ActBegun,
		Action:  action,
		At:      at,
		Who:     record.Operator(w.Getenv),
		Reason:  w.Reason,
		Command: w.Command,
		Version: e.Version,
		Bucket:  e.Bucket,
		Users:   users,
		Bytes:   bytes,
	}
}

func (w *Watch) leave(e *migrate.Engine, act record.Act) {
	if err := act.Write(context.Background(), w.stateDir(), e.Files); err != nil {
		w.Warn("write the audit line: %v", err)
	}
}

// Nameless watches a run that may leave the ids of users nowhere. There is an audit line for its begin and
// one for its end, and no run record.
type Nameless struct {
	Watch  *Watch
	engine *migrate.Engine
	act    record.Act
}

// namelessSummary is what the audit line keeps of the summary.
type namelessSummary struct {
	Users    int                    `json:"users"`
	Outcomes map[result.Outcome]int `json:"outcomes"`
	Failed   int                    `json:"failed"`
	NotBegun int                    `json:"notBegun"`
	Open     int                    `json:"openUsers"`
	Exit     int                    `json:"exit"`
}

// Begin writes the audit line.
func (n *Nameless) Begin(of Begin) {
	if of.Users == 0 {
		return
	}
	n.engine = of.Engine
	n.act = n.Watch.actOf(of.Engine, string(of.Action), of.At.UnixMilli(), of.Users, of.Bytes)
	n.Watch.leave(n.engine, n.act)
}

// Begun is told of a user, and notes nothing.
func (*Nameless) Begun(userdb.UserID) {}

// User is told of a user, and notes nothing.
func (*Nameless) User(result.Result) {}

// Wave is told of a wave, and notes nothing.
func (*Nameless) Wave(*WaveLine) {}

// End writes the audit line again, with how it ended.
func (n *Nameless) End(s *Summary) {
	if n.engine == nil {
		return
	}
	n.act.State, n.act.EndAt = record.ActEnded, time.Now().UnixMilli()
	n.act.Summary = namelessSummary{s.Users, s.Outcomes, s.Failed, s.NotBegun, len(s.Open), s.Exit}
	n.Watch.leave(n.engine, n.act)
}

// Left is told that the operator did not wait for the end: the line says "begun".
func (*Nameless) Left() {}
