package fleet

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// The exit codes of a run. They are promised in docs/scripting.md.
const (
	ExitDone        = 0
	ExitFailed      = 1
	ExitUnknown     = 2 // a user was named who does not exist
	ExitDifferent   = 3
	ExitInterrupted = 130
)

// Summary is the account of a run (docs/scripting.md).
type Summary struct {
	Action      result.Action          `json:"action"`
	Run         string                 `json:"run"`
	Users       int                    `json:"users"`
	Outcomes    map[result.Outcome]int `json:"outcomes"`
	Failed      int                    `json:"failed"`
	NotBegun    int                    `json:"notBegun"`
	Open        []userdb.UserID        `json:"open"`
	Bytes       int64                  `json:"bytes"`
	FreedBytes  int64                  `json:"freedBytes,omitempty"`
	TookMs      int64                  `json:"tookMs"`
	Interrupted bool                   `json:"interrupted"`
	Exit        int                    `json:"exit"`
	// FlagsLeft are the users with only the flag left to be written or deleted; FlagsUnread says that KV did
	// not tell who has one.
	FlagsLeft   []userdb.UserID `json:"flagsLeft,omitempty"`
	FlagsUnread bool            `json:"flagsUnread,omitempty"`

	// Unknown are users who were named: they have no file, and nothing in a Durable Object.
	Unknown []userdb.UserID `json:"unknown,omitempty"`
	// CleanupPending are users with a file that serves again, and a Durable Object that is still to be
	// emptied.
	CleanupPending []userdb.UserID `json:"cleanupPending,omitempty"`

	unknownFailed int   // of Failed
	flagError     error // of the first of FlagsLeft
	failures      []terminal.Failure
	strict        bool // a user in quarantine makes the exit code 1
}

// failureWith says of a user who moved, and only lacks a receipt, that this is done.
func failureWith(r result.Result, err error) terminal.Failure {
	f := terminal.Failure{User: string(r.User), Reason: err.Error()}
	if r.Outcome != result.OutcomeFailed {
		f.Done = string(r.Outcome)
	}
	return f
}

// exit weighs the account: an interrupted run is that first, then a difference counts more than a failure.
func (s *Summary) exit() int {
	switch {
	case s.Interrupted:
		return ExitInterrupted
	case s.Outcomes[result.OutcomeDifferent] > 0:
		return ExitDifferent
	case s.Failed > s.unknownFailed || s.NotBegun > 0 || len(s.FlagsLeft) > 0 || len(s.CleanupPending) > 0,
		s.FlagsUnread, s.strict && s.Outcomes[result.OutcomeQuarantined] > 0:
		return ExitFailed
	case len(s.Unknown) > 0:
		return ExitUnknown
	}
	return ExitDone
}

// sentence is the summary for people.
func (s *Summary) sentence() string {
	parts := []string{}
	for _, outcome := range slices.Sorted(maps.Keys(s.Outcomes)) {
		parts = append(parts, fmt.Sprintf("%d %s", s.Outcomes[outcome], outcome))
	}
	if s.NotBegun > 0 {
		parts = append(parts, fmt.Sprintf("%d not begun", s.NotBegun))
	}
	if len(parts) == 0 {
		parts = append(parts, "nothing to do")
	}
	text := fmt.Sprintf(
		"%s: %s: %s; %s in %s",
		s.Action,
		units.Plural(s.Users, "user"),
		strings.Join(parts, ", "),
		units.FormatSize(s.Bytes),
		units.FormatDuration(time.Duration(s.TookMs)*time.Millisecond),
	)
	if s.FreedBytes > 0 {
		text += ", " + units.FormatSize(s.FreedBytes) + " freed"
	}
	if s.Run != "" {
		text += "; run " + s.Run
	}
	if s.Interrupted {
		text += "; interrupted: run the same command again to go on"
	}
	return text
}

// someOf names a few users.
func someOf(users []userdb.UserID) string {
	const few = 5
	var names []string
	for _, u := range users[:min(few, len(users))] {
		names = append(names, string(u))
	}
	if more := len(users) - few; more > 0 {
		names = append(names, fmt.Sprintf("%d more", more))
	}
	return strings.Join(names, ", ")
}

func (s *Summary) counts() []terminal.Count {
	counts := []terminal.Count{{Name: "users", Value: fmt.Sprint(s.Users)}}
	for _, outcome := range slices.Sorted(maps.Keys(s.Outcomes)) {
		counts = append(counts, terminal.Count{Name: string(outcome), Value: fmt.Sprint(s.Outcomes[outcome])})
	}
	return append(counts,
		terminal.Count{Name: "not begun", Value: fmt.Sprint(s.NotBegun)},
		terminal.Count{Name: "size", Value: units.FormatSize(s.Bytes)},
		terminal.Count{Name: "time", Value: units.FormatDuration(time.Duration(s.TookMs) * time.Millisecond)},
		terminal.Count{Name: "exit code", Value: fmt.Sprint(s.Exit)})
}

// count takes one user's result.
func (s *Summary) count(r result.Result) {
	if r.Outcome == result.OutcomeNotBegun {
		s.NotBegun++
		return
	}
	s.Outcomes[r.Outcome]++
	s.FreedBytes += r.FreedBytes
	if r.CleanupPending {
		s.CleanupPending = append(s.CleanupPending, r.User)
	}
	if r.FlagLeft() {
		s.FlagsLeft = append(s.FlagsLeft, r.User)
		s.flagError = cmp.Or(s.flagError, r.Err())
	}
	if err := r.Err(); err != nil && !isBack(r) {
		if r.Outcome != result.OutcomeDifferent {
			s.Failed++
		}
		s.failures = append(s.failures, failureWith(r, err))
	} else if r.Action == s.Action && r.Outcome != result.OutcomeQuarantined {
		s.Bytes += r.Bytes
	}
	if r.Outcome == result.OutcomeToBeSealed {
		s.Failed++ // the user is served, but the command is not done
	}
	if r.Open {
		s.Open = append(s.Open, r.User)
	}
}

// isBack says that a rollback has done everything but delete the flag, or empty the Durable Object, which
// decides nothing: that stops nobody else, and is no failure of the user.
func isBack(r result.Result) bool {
	return r.Action == result.ActionRollback && (r.FlagLeft() || r.CleanupPending)
}

// countUnknown takes a user who does not exist.
func (s *Summary) countUnknown(r result.Result) {
	s.Unknown = append(s.Unknown, r.User)
	if r.Err() != nil {
		s.unknownFailed++
	}
}

// WarnUnknown names users who do not exist.
func WarnUnknown(out *terminal.Output, command string, unknown []userdb.UserID) {
	out.Warn(
		"%s: no such user: %s: no file, and nothing in the Durable Object; check the name and --layout",
		command,
		someOf(unknown),
	)
}
