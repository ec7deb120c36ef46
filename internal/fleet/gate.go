package fleet

import (
	"context"
	"fmt"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// WaveLine is a wave's line in the JSON (docs/scripting.md).
type WaveLine struct {
	Name       string                 `json:"name"`
	Number     int                    `json:"number"`
	Of         int                    `json:"of"`
	Users      int                    `json:"users"`
	Outcomes   map[result.Outcome]int `json:"outcomes"`
	Failed     int                    `json:"failed"`
	NotBegun   int                    `json:"notBegun"`
	Verified   int                    `json:"verified"`
	Different  int                    `json:"different"`
	Unverified int                    `json:"unverified"`
	Gate       string                 `json:"gate"`
	Reason     string                 `json:"reason,omitempty"`
	RolledBack int                    `json:"rolledBack"`
	TookMs     int64                  `json:"tookMs"`
	At         int64                  `json:"at"` // its end, Unix milliseconds
}

// What became of a gate, promised in docs/scripting.md.
const (
	GatePassed  = "passed"
	GateStopped = "stopped"
	GateSkipped = "interrupted" // nobody waited for a verdict
)

func (l *WaveLine) sentence() string {
	text := fmt.Sprintf(
		"wave %d of %d, %s: %s, %d failed, %d verified, %d different: gate %s",
		l.Number,
		l.Of,
		l.Name,
		units.Plural(l.Users, "user"),
		l.Failed,
		l.Verified,
		l.Different,
		l.Gate,
	)
	if l.Reason != "" {
		text += ": " + l.Reason
	}
	if l.RolledBack > 0 {
		text += fmt.Sprintf("; %s rolled back", units.Plural(l.RolledBack, "user"))
	}
	return text + " (" + units.FormatDuration(time.Duration(l.TookMs)*time.Millisecond) + ")"
}

// Gate decides after a wave whether the next one may begin.
type Gate struct {
	// Failures is the largest share of a wave that may fail, in percent.
	Failures float64
	// Rollback rolls back the users that the wave migrated when the gate stops the run.
	Rollback bool
	// Pause is how long to wait after the canary, which is verified again then.
	Pause units.AgeFlag
	// Verify looks at a user, Undo rolls one back.
	Verify, Undo func(context.Context, userdb.UserID) result.Result
}

// judge is empty when the wave passes. Nothing is known of a user who could not be verified, so that user
// counts as failed.
func (g *Gate) judge(l *WaveLine) (reason string) {
	begun := l.Users - l.NotBegun - l.Outcomes[result.OutcomeQuarantined]
	failed := l.Failed + l.Unverified
	switch {
	case l.Different > 0:
		return fmt.Sprintf("verify found a difference in %s", units.Plural(l.Different, "user"))
	case failed > 0 && float64(failed)*100 > g.Failures*float64(begun):
		return fmt.Sprintf(
			"%d of %s failed, and --gate-failures is %s",
			failed,
			units.Plural(begun, "user"),
			selection.FormatPercent(g.Failures),
		)
	}
	return ""
}

// lost says that the gate will stop the run whatever becomes of the users still to come.
func (g *Gate) lost(failed, users int) bool {
	return failed > 0 && float64(failed)*100 > g.Failures*float64(users)
}
