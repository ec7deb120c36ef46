package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/report"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// fleetRun does one thing to many users and keeps the account of it.
type fleetRun struct {
	*app
	engine *migrate.Engine
	action migrate.Action
	do     func(context.Context, userdb.UserID) migrate.Result
	pace
	// flagsUnread says that the users were chosen without the flags, so that some may be missing.
	flagsUnread bool
	named       bool     // users were chosen by name: passing one over is no success
	rollout     *rollout // nil: everybody in one step
	// before comes before the users of a run, or of each of its waves; nil for nothing.
	before func(context.Context, []migrate.Found) error
	// then is a last step for each user, which may take its time; nil for none.
	then func(context.Context, migrate.Result) migrate.Result

	sheet    *report.Sheet[migrate.Result]
	progress *report.Progress
	began    time.Time
	halt     context.CancelCauseFunc
	sheetErr error
	account  account

	sick map[userdb.UserID]bool // whose object R2 would not show while it showed others: what it refuses of them says nothing of a credential

	mu       sync.Mutex
	inFlight map[userdb.UserID]migrate.Stage
}

// account is the promised summary (docs/scripting.md).
type account struct {
	Action      migrate.Action          `json:"action"`
	Run         string                  `json:"run"`
	Users       int                     `json:"users"`
	Outcomes    map[migrate.Outcome]int `json:"outcomes"`
	Failed      int                     `json:"failed"`
	NotBegun    int                     `json:"notBegun"`
	Open        []userdb.UserID         `json:"open"`
	Bytes       int64                   `json:"bytes"`
	FreedBytes  int64                   `json:"freedBytes,omitempty"`
	TookMs      int64                   `json:"tookMs"`
	Interrupted bool                    `json:"interrupted"`
	Exit        int                     `json:"exit"`
	// FlagsLeft are the users of whom only the flag is left to be written or deleted; FlagsUnread says that KV did not tell who has one.
	FlagsLeft   []userdb.UserID `json:"flagsLeft,omitempty"`
	FlagsUnread bool            `json:"flagsUnread,omitempty"`

	flagError error // of the first of FlagsLeft
	failures  []report.Failure
	strict    bool // a user in quarantine makes the exit code 1
}

var (
	errTooLong         = errors.New("stopped: --max-duration is over; users in flight were finished")
	errTooManyFailures = errors.New("stopped: --max-failures is reached")
	errRefused         = errors.New("stopped: a credential was refused, which would refuse every other user, too")
	errOperators       = errors.New("stopped: the failure is not the user's, and every other user would meet it, too")
	errNoStdout        = errors.New("stopped: standard output is gone")
)

// run goes through the users and ends with the exit code that the account says. The first signal stops beginning users; those in
// flight end by themselves.
func (r *fleetRun) run(ctx context.Context, users []migrate.Found) error {
	r.account = account{Action: r.action, Run: r.engine.Run, Users: len(users), Outcomes: map[migrate.Outcome]int{}, Open: []userdb.UserID{}, FlagsUnread: r.flagsUnread, strict: r.named}
	r.sheet, r.began, r.inFlight = report.NewSheet(r.out, resultColumns), time.Now(), map[userdb.UserID]migrate.Stage{}
	r.sick = map[userdb.UserID]bool{}
	for _, f := range users {
		if f.Place == migrate.PlaceUnreadable {
			r.sick[f.User] = true
		}
	}
	ids, sizes := idsAndSizes(users)
	r.watch.begin(r, total(sizes))
	r.progress = r.out.NewProgress(string(r.action), sizes, r.live)
	r.engine.Observe = r.observe
	stop, halt := context.WithCancelCause(ctx)
	defer halt(nil)
	r.halt = halt
	r.engine.Stopping = stop
	forget := r.signals.during(r.sayStopping, r.stillOpen)
	defer time.AfterFunc(r.longest(), func() { halt(errTooLong) }).Stop()
	if r.then == nil {
		r.then = func(_ context.Context, result migrate.Result) migrate.Result { return result }
	}
	if r.rollout != nil {
		r.rollout.run(r, ctx, stop)
	} else {
		r.engine.EachThen(stop, ids, r.action, r.one, r.then, r.done)
	}
	forget()
	r.progress.Close()
	return r.end(ctx.Err() != nil, context.Cause(stop))
}

func idsAndSizes(users []migrate.Found) ([]userdb.UserID, map[string]int64) {
	ids, sizes := make([]userdb.UserID, len(users)), make(map[string]int64, len(users))
	for i, f := range users {
		ids[i] = f.User
		sizes[string(f.User)] = f.Bytes
	}
	return ids, sizes
}

// one works on one user. It does not use the run's context: a user who was begun is finished.
func (r *fleetRun) one(_ context.Context, u userdb.UserID) migrate.Result {
	r.begun(u)
	result := r.do(context.Background(), u)
	r.haltIfOperators(result) // before the next user can begin
	r.mu.Lock()
	r.inFlight[u] = waitsForFlag
	r.mu.Unlock()
	return result
}

func (r *fleetRun) begun(u userdb.UserID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inFlight[u] = ""
}

func (r *fleetRun) observe(e migrate.Event) {
	r.mu.Lock()
	if _, begun := r.inFlight[e.User]; begun {
		r.inFlight[e.User] = e.Stage
	}
	r.mu.Unlock()
	if e.Stage == bytesStage[r.action] {
		r.progress.Moved(string(e.User), e.Bytes)
	}
}

// bytesStage is the slow step whose bytes tell how far a run is.
var bytesStage = map[migrate.Action]migrate.Stage{
	migrate.ActionMigrate:  migrate.StageCopy,
	migrate.ActionThaw:     migrate.StageCopy,
	migrate.ActionRollback: migrate.StagePut,
	migrate.ActionRehearse: migrate.StagePut,
}

// done takes one user's account. The engine calls it for one user at a time.
func (r *fleetRun) done(result migrate.Result) {
	r.mu.Lock()
	delete(r.inFlight, result.User)
	r.mu.Unlock()
	err := result.Err()
	notBegun := result.Outcome == migrate.OutcomeNotBegun
	r.count(result, notBegun)
	r.watch.user(result)
	if !notBegun {
		r.progress.Finish(string(result.User), err == nil || isBack(result))
		// A person at a terminal sees the number of failures in the bar, and the reasons in the table.
		if err != nil && !isBack(result) && !(r.out.ErrTerminal && r.out.Format == report.Table) {
			r.out.Warn("%s %s: %v", r.action, result.User, err)
		}
	}
	if r.sheetErr == nil {
		if r.sheetErr = r.sheet.Add(result); r.sheetErr != nil {
			r.halt(errNoStdout)
		}
	}
	r.haltIfOperators(result)
	if !isBack(result) && r.maxFailures > 0 && r.account.Failed >= r.maxFailures {
		r.halt(errTooManyFailures)
	}
}

// haltIfOperators ends the run when a failure is the operator's own. The first cause is kept.
func (r *fleetRun) haltIfOperators(result migrate.Result) {
	switch {
	case isBack(result):
	case userdb.KindOf(result.Err()) == userdb.Unauthorized && !r.sick[result.User]:
		r.halt(errRefused)
	case result.StopsRun:
		r.halt(errOperators)
	}
}

// isBack says that a rollback has done everything but delete the flag, which decides nothing: that stops nobody else, and is no failure of the user.
func isBack(result migrate.Result) bool {
	return result.Action == migrate.ActionRollback && result.FlagLeft()
}

// afterwards takes the account of what was done to a user after his own: a wave was verified, or taken back.
func (r *fleetRun) afterwards(result migrate.Result) {
	r.mu.Lock()
	delete(r.inFlight, result.User)
	r.mu.Unlock()
	r.count(result, false)
	r.watch.user(result)
	if err := result.Err(); err != nil && !isBack(result) {
		r.out.Warn("%s %s: %v", result.Action, result.User, err)
	}
	if r.sheetErr == nil {
		r.sheetErr = r.sheet.Add(result)
	}
}

func (r *fleetRun) count(result migrate.Result, notBegun bool) {
	a := &r.account
	if notBegun {
		a.NotBegun++
		return
	}
	a.Outcomes[result.Outcome]++
	a.FreedBytes += result.FreedBytes
	if result.FlagLeft() {
		a.FlagsLeft = append(a.FlagsLeft, result.User)
		a.flagError = cmp.Or(a.flagError, result.Err())
	}
	if err := result.Err(); err != nil && !isBack(result) {
		if result.Outcome != migrate.OutcomeDifferent {
			a.Failed++
		}
		a.failures = append(a.failures, report.Failure{User: string(result.User), Reason: err.Error()})
	} else if result.Action == a.Action && result.Outcome != migrate.OutcomeQuarantined {
		a.Bytes += result.Bytes
	}
	if result.Outcome == migrate.OutcomeToBeSealed {
		a.Failed++ // the user is served, but the command is not done
	}
	if result.Open {
		a.Open = append(a.Open, result.User)
	}
}

// sayStopping answers the first signal.
func (r *fleetRun) sayStopping() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out.Warn("stopping: no more users are begun, %s in flight finish (again: leave at once)", units.Plural(len(r.inFlight), "user"))
}

// stillOpen answers the second one.
func (r *fleetRun) stillOpen() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := []string{fmt.Sprintf("left at once, with %s in flight; run the same command again, it goes on from here", units.Plural(len(r.inFlight), "user"))}
	for _, u := range slices.Sorted(maps.Keys(r.inFlight)) {
		lines = append(lines, fmt.Sprintf("open: %s (last step: %s)", u, orWord(string(r.inFlight[u]), "begun")))
	}
	r.watch.left()
	return lines
}

func (r *fleetRun) end(interrupted bool, cause error) error {
	a := &r.account
	a.Interrupted, a.TookMs = interrupted, time.Since(r.began).Milliseconds()
	a.Exit = a.exit()
	slices.Sort(a.FlagsLeft)
	if err := r.sheet.End(map[string]any{"summary": a}); r.sheetErr == nil {
		r.sheetErr = err
	}
	if cause != nil && !interrupted {
		r.out.Warn("%v", cause)
	}
	r.out.Say("%s", a.sentence())
	for _, u := range a.Open {
		r.out.Warn("open: %s: writes wait until `dbmigrate migrate %s` or `dbmigrate rollback %s` ends it", u, u, u)
	}
	if len(a.FlagsLeft) > 0 {
		r.out.Warn("flags left: %s of %s: %v", units.Plural(len(a.FlagsLeft), "flag"), someOf(a.FlagsLeft), a.flagError)
	}
	r.out.StepSummaryOf("dbmigrate "+string(r.action), a.counts(), a.failures)
	r.watch.end(a) // the last: its copies in R2 may take a minute, and nobody should wait so long to read who is open
	if r.sheetErr != nil {
		return fmt.Errorf("write results: %w", r.sheetErr)
	}
	return ended(a.Exit)
}

// exit weighs the account: an interrupted run is that first, then a difference counts more than a failure.
func (a *account) exit() int {
	switch {
	case a.Interrupted:
		return exitInterrupted
	case a.Outcomes[migrate.OutcomeDifferent] > 0:
		return exitDifferent
	case a.Failed > 0 || a.NotBegun > 0 || len(a.FlagsLeft) > 0 || a.FlagsUnread, a.strict && a.Outcomes[migrate.OutcomeQuarantined] > 0:
		return exitFailed
	}
	return exitDone
}

// sentence is the summary for people.
func (a *account) sentence() string {
	parts := []string{}
	for _, outcome := range slices.Sorted(maps.Keys(a.Outcomes)) {
		parts = append(parts, fmt.Sprintf("%d %s", a.Outcomes[outcome], outcome))
	}
	if a.NotBegun > 0 {
		parts = append(parts, fmt.Sprintf("%d not begun", a.NotBegun))
	}
	if len(parts) == 0 {
		parts = append(parts, "nothing to do")
	}
	text := fmt.Sprintf("%s: %s: %s; %s in %s", a.Action, units.Plural(a.Users, "user"), strings.Join(parts, ", "),
		units.FormatSize(a.Bytes), units.FormatDuration(time.Duration(a.TookMs)*time.Millisecond))
	if a.FreedBytes > 0 {
		text += ", " + units.FormatSize(a.FreedBytes) + " freed"
	}
	if a.Interrupted {
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

func (a *account) counts() []report.Count {
	counts := []report.Count{{Name: "users", Value: fmt.Sprint(a.Users)}}
	for _, outcome := range slices.Sorted(maps.Keys(a.Outcomes)) {
		counts = append(counts, report.Count{Name: string(outcome), Value: fmt.Sprint(a.Outcomes[outcome])})
	}
	return append(counts,
		report.Count{Name: "not begun", Value: fmt.Sprint(a.NotBegun)},
		report.Count{Name: "size", Value: units.FormatSize(a.Bytes)},
		report.Count{Name: "time", Value: units.FormatDuration(time.Duration(a.TookMs) * time.Millisecond)},
		report.Count{Name: "exit code", Value: fmt.Sprint(a.Exit)})
}

func orWord(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}
