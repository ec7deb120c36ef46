// Package fleet does one job to many users: in waves with a gate between, with progress, records and a
// summary.
package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/breaker"
	"github.com/dbmigrate/dbmigrate/internal/concurrency"
	"github.com/dbmigrate/dbmigrate/internal/selection"
	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Job is what is done to each user.
type Job struct {
	Action result.Action
	Do     func(context.Context, userdb.UserID) result.Result
	// Before comes before the users of a run, or of each of its waves; nil: nothing.
	Before func(context.Context, []inspect.Found) error
	// Then is a last step for each user, which may take its time; nil: none.
	Then func(context.Context, result.Result) result.Result
	// FlagsUnread says that the users were chosen without the flags, so that some may be missing.
	FlagsUnread bool
	// Strict says that passing a user over, who is in quarantine, is no success.
	Strict bool
}

// Runner runs jobs.
type Runner struct {
	Engine *migrate.Engine
	Out    *terminal.Output
	// Limiter decides how many users are in flight; nil: as many as the engine's Concurrency.
	Limiter *concurrency.Limiter
	// Signals tell of the operator's wish to stop; nil: nothing does.
	Signals Signals
	// Traffic tells who throttles; nil: nothing does.
	Traffic *Traffic
	// Gate decides after each wave whether the next one begins; nil: nobody looks at waves.
	Gate *Gate
	// Observers are told of the run, beside stdout and stderr.
	Observers []Observer
	// Services are asked once a few users in a row failed for want of one, until it answers or GiveUpAfter is
	// over. No users are begun meanwhile. Without them the run goes on with the next user.
	Services    []breaker.Probe
	GiveUpAfter time.Duration
	// MaxFailures and MaxDuration begin no more users after so many failures, or so long; 0 is no limit.
	MaxFailures int
	MaxDuration time.Duration
	// Elsewhere says which other run works on a user, and may take its time; nil: nobody knows.
	Elsewhere func(context.Context, userdb.UserID) string
	// Waiting says which services do not answer; nil: nobody knows.
	Waiting func() string
	// Where are the flags that say where everything is, as another command has to repeat them.
	Where []string
}

// Signals tell of the operator's wish to stop.
type Signals interface {
	// During registers what a run has to say to a first signal, and what is left open at a second one.
	During(onStop func(), onQuit func() []string) (done func())
}

// Observer is told of a run. What goes wrong with it fails no user.
type Observer interface {
	// Begin comes when the users are known, before the first of them is begun.
	Begin(Begin)
	// Begun comes when a user is begun.
	Begun(userdb.UserID)
	// User is told of each user who was begun, one at a time, and again of one who was verified with a
	// difference or rolled back afterwards.
	User(result.Result)
	// Wave is told of each wave that a gate judged.
	Wave(*WaveLine)
	End(*Summary)
	// Left says that the operator did not wait for the end.
	Left()
}

// Begin is what is known of a run when it begins.
type Begin struct {
	Engine   *migrate.Engine
	Action   result.Action
	At       time.Time
	Users    int
	Bytes    int64
	InFlight func() int
}

// run is one run under way.
type run struct {
	*Runner
	job      Job
	waves    []Wave
	sheet    *terminal.Sheet[result.Result]
	progress *terminal.Progress
	began    time.Time
	halt     context.CancelCauseFunc
	sheetErr error
	summary  Summary

	failuresNamed int          // while the run goes on
	accounted     atomic.Int64 // users who are done or failed

	// signal ends with the first signal: then nothing more is decided, and nothing rolled back. stop ends
	// when no more users are to be begun, for whatever reason.
	signal, stop context.Context

	breaker breaker.Breaker

	// sick are users for which R2 would not show the object while it showed others. What it refuses of them
	// says nothing of a credential.
	sick map[userdb.UserID]bool
	// missing are users without anything in the bucket. Their Durable Objects may have something.
	missing map[userdb.UserID]bool

	mu       sync.Mutex
	inFlight map[userdb.UserID]result.Stage
	racing   map[userdb.UserID]bool // the application's writes were faster than their fence
}

var (
	errTooLong         = errors.New("stopped: --max-duration is over; users in flight were finished")
	errTooManyFailures = errors.New("stopped: --max-failures is reached")
	errRefused         = errors.New(
		"stopped: a credential was refused, which would refuse every other user, too",
	)
	errOperators = errors.New(
		"stopped: the failure is not the user's, and every other user would meet it, too",
	)
	errNoStdout = errors.New("stopped: standard output is gone")
)

// Run goes through the waves, one after the other, and returns the summary, which has the exit code. The
// first signal, which ends ctx, stops beginning users; those in flight end by themselves. Without a gate a
// Before that fails begins nothing.
func (r *Runner) Run(ctx context.Context, waves []Wave, job Job) (Summary, error) {
	waves = mixed(waves, job.Action)
	o := &run{Runner: r, job: job, waves: waves, signal: ctx}
	users := usersOf(waves)
	if r.Gate == nil {
		if err := o.prepare(ctx, users); err != nil {
			return Summary{}, err
		}
	}
	forget := o.begin(users)
	defer o.halt(nil)
	defer time.AfterFunc(r.longest(), func() { o.halt(errTooLong) }).Stop()
	for i, w := range waves {
		o.wave(w, i)
	}
	forget()
	o.progress.Close()
	err := o.end(ctx.Err() != nil, context.Cause(o.stop))
	return o.summary, err
}

// begin sets the run up; the function it returns says that no signal concerns it any more.
func (o *run) begin(users []inspect.Found) (forget func()) {
	o.summary = Summary{
		Action:      o.job.Action,
		Run:         o.Engine.Run,
		Users:       len(users),
		Outcomes:    map[result.Outcome]int{},
		Open:        []userdb.UserID{},
		FlagsUnread: o.job.FlagsUnread,
		strict:      o.job.Strict,
	}
	o.sheet, o.began, o.inFlight = terminal.NewSheet(
		o.Out,
		resultColumns,
	), time.Now(), map[userdb.UserID]result.Stage{}
	o.sick, o.missing = map[userdb.UserID]bool{}, map[userdb.UserID]bool{}
	o.breaker.Probes, o.breaker.GiveUp, o.breaker.Warn = o.Services, o.GiveUpAfter, o.Out.Warn
	for _, f := range users {
		if selection.IsUnknown(f) {
			o.missing[f.User] = true
		}
		if f.Place == inspect.PlaceUnreadable {
			o.sick[f.User] = true
		}
	}
	planned := o.planned(users)
	for _, w := range o.Observers {
		w.Begin(
			Begin{
				Engine:   o.Engine,
				Action:   o.job.Action,
				At:       o.began,
				Users:    len(users),
				Bytes:    total(users),
				InFlight: o.flying,
			},
		)
	}
	o.progress = o.Out.Follow(string(o.job.Action), planned, o.live)
	o.Engine.Observe = o.observe
	o.stop, o.halt = context.WithCancelCause(o.signal)
	o.Engine.Stopping = o.stop
	if o.Signals == nil {
		return func() {}
	}
	return o.Signals.During(o.sayStopping, o.stillOpen)
}

// prepare does what has to come before the first of the users is begun.
func (o *run) prepare(ctx context.Context, users []inspect.Found) error {
	if o.job.Before == nil || len(users) == 0 {
		return nil
	}
	return o.job.Before(ctx, users)
}

// each does the job to users, and hands their results to done, one at a time.
func (o *run) each(ctx context.Context, users []userdb.UserID, done func(result.Result)) {
	crew := o.patientCrew()
	crew.EachThen(ctx, users, o.job.Action, o.one, o.then, done)
}

// then is what comes after a user's work and holds up no other user.
func (o *run) then(ctx context.Context, one result.Result) result.Result {
	if o.job.Then != nil {
		one = o.job.Then(ctx, one)
	}
	return o.nameSuperseder(one)
}

// ready waits for services that do not answer. The run stops where they are given up.
func (o *run) ready(ctx context.Context) error {
	err := o.breaker.Ready(ctx)
	if err != nil && ctx.Err() == nil {
		o.halt(err)
	}
	return err
}

// patientCrew begins nobody while a service does not answer, where its work tells by seen how it ended.
func (o *run) patientCrew() Crew {
	crew := o.crew()
	crew.Ready = o.ready
	return crew
}

// seen lets the breaker see how a user's work ended.
func (o *run) seen(one result.Result) result.Result {
	o.breaker.Saw(one)
	return one
}

func (r *Runner) crew() Crew { return Crew{Engine: r.Engine, Limiter: r.Limiter} }

// longest is how long users may be begun.
func (r *Runner) longest() time.Duration {
	if r.MaxDuration == 0 {
		return math.MaxInt64
	}
	return r.MaxDuration
}

// IDsAndSizes are the ids of users, and the sizes of their files by id.
func IDsAndSizes(users []inspect.Found) ([]userdb.UserID, map[string]int64) {
	ids, sizes := make([]userdb.UserID, len(users)), make(map[string]int64, len(users))
	for i, f := range users {
		ids[i] = f.User
		sizes[string(f.User)] = f.Bytes
	}
	return ids, sizes
}

// one works on one user. It does not use the run's context: a user who was begun is finished.
func (o *run) one(_ context.Context, u userdb.UserID) result.Result {
	o.begun(u)
	one := o.job.Do(context.Background(), u)
	o.progress.Worked(string(u))
	o.haltIfOperators(one) // before the next user can begin
	o.seen(one)
	o.mu.Lock()
	o.inFlight[u] = waitsForFlag
	o.mu.Unlock()
	return one
}

func (o *run) begun(u userdb.UserID) {
	for _, w := range o.Observers {
		w.Begun(u)
	}
	o.progress.Begin(string(u))
	o.mu.Lock()
	defer o.mu.Unlock()
	o.inFlight[u] = ""
}

func (o *run) observe(e result.Event) {
	if o.Out != nil && o.Out.Verbose {
		o.Out.Detail("%s: %s%s in %s", e.User, e.Stage, bytesText(e.Bytes), units.FormatDuration(e.Took))
	}
	o.mu.Lock()
	if _, begun := o.inFlight[e.User]; begun {
		o.inFlight[e.User] = e.Stage
		o.race(e)
	}
	o.mu.Unlock()
	if e.Stage == bytesStage[o.job.Action] {
		o.progress.Moved(string(e.User), e.Bytes)
	}
}

// race notes who waits for a gap between the application's writes.
func (o *run) race(e result.Event) {
	switch e.Stage {
	case result.StageBusy:
		if o.racing == nil {
			o.racing = map[userdb.UserID]bool{}
		}
		o.racing[e.User] = true
	case result.StageFence:
		delete(o.racing, e.User)
	}
}

// bytesStage is the slow step that tells by its bytes how far a run is.
var bytesStage = map[result.Action]result.Stage{
	result.ActionMigrate:  result.StageCopy,
	result.ActionThaw:     result.StageCopy,
	result.ActionRollback: result.StagePut,
	result.ActionRehearse: result.StagePut,
	result.ActionBackup:   result.StagePut,
	result.ActionRestore:  result.StagePut,
}

// done takes one user's result. The engine calls it for one user at a time.
func (o *run) done(one result.Result) {
	o.mu.Lock()
	delete(o.inFlight, one.User)
	delete(o.racing, one.User)
	o.mu.Unlock()
	err := one.Err()
	notBegun := one.Outcome == result.OutcomeNotBegun
	o.summary.count(one)
	if o.missing[one.User] && hasNothing(one) {
		o.summary.countUnknown(one)
	}
	o.tell(one)
	if !notBegun {
		o.accounted.Add(1)
		o.progress.Finish(string(one.User), err == nil || isBack(one))
		if err != nil && !isBack(one) {
			o.nameFailed(one)
		}
	}
	if o.sheetErr == nil {
		if o.sheetErr = o.sheet.Add(one); o.sheetErr != nil {
			o.halt(errNoStdout)
		}
	}
	o.haltIfOperators(one)
	if !isBack(one) && o.MaxFailures > 0 && o.summary.Failed >= o.MaxFailures {
		o.halt(errTooManyFailures)
	}
}

// hasNothing says that a command found nothing of a user.
func hasNothing(one result.Result) bool {
	return one.Outcome == result.OutcomeNothing || one.Outcome == result.OutcomeInR2 ||
		userdb.KindOf(one.Err()) == userdb.NotFound
}

// haltIfOperators ends the run when a failure is the operator's own. The first cause is kept.
func (o *run) haltIfOperators(one result.Result) {
	switch {
	case isBack(one):
	case userdb.KindOf(one.Err()) == userdb.Unauthorized && !o.sick[one.User]:
		o.halt(errRefused)
	case one.StopsRun:
		o.halt(errOperators)
	}
}

// tell tells the observers of a user.
func (o *run) tell(one result.Result) {
	if one.Outcome == result.OutcomeNotBegun {
		return
	}
	for _, w := range o.Observers {
		w.User(one)
	}
}

// afterwards takes one more result of a user, after the user's own: a wave was verified, or rolled back.
func (o *run) afterwards(one result.Result) {
	o.mu.Lock()
	delete(o.inFlight, one.User)
	delete(o.racing, one.User)
	o.mu.Unlock()
	o.summary.count(one)
	o.tell(one)
	if err := one.Err(); err != nil && !isBack(one) {
		o.Out.Warn("%s %s: %v", one.Action, one.User, err)
	}
	o.show(one)
}

// show prints a line that comes after the user's own.
func (o *run) show(one result.Result) {
	if o.sheetErr == nil {
		o.sheetErr = o.sheet.Add(one)
	}
}

// sayStopping answers the first signal.
func (o *run) sayStopping() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.Out.Warn(
		"stopping: %d of %s done; no more users are begun, %s in flight finish (again: leave at once)",
		o.accounted.Load(),
		units.Plural(o.summary.Users, "user"),
		units.Plural(len(o.inFlight), "user"),
	)
}

// stillOpen answers the second one.
func (o *run) stillOpen() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	lines := []string{
		fmt.Sprintf(
			"left at once, with %s in flight; run the same command again, it goes on from here",
			units.Plural(len(o.inFlight), "user"),
		),
	}
	for _, u := range slices.Sorted(maps.Keys(o.inFlight)) {
		lines = append(
			lines,
			fmt.Sprintf("open: %s (last step: %s)", u, cmp.Or(string(o.inFlight[u]), "begun")),
		)
	}
	for _, w := range o.Observers {
		w.Left()
	}
	return lines
}

func (o *run) end(interrupted bool, cause error) error {
	s := &o.summary
	s.Interrupted, s.TookMs = interrupted, time.Since(o.began).Milliseconds()
	s.Exit = s.exit()
	slices.Sort(s.FlagsLeft)
	if err := o.sheet.End(map[string]any{"summary": s}); o.sheetErr == nil {
		o.sheetErr = err
	}
	if cause != nil && !interrupted {
		o.Out.Warn("%v", cause)
	}
	o.Out.Say("%s", s.sentence())
	o.nameFailedAgain()
	o.sayWayBack()
	for _, u := range s.Open {
		o.Out.Warn(
			"open: %s: writes wait until `dbmigrate migrate %s` or `dbmigrate rollback %s` ends it",
			u,
			u.Arg(),
			u.Arg(),
		)
	}
	if len(s.Unknown) > 0 {
		WarnUnknown(o.Out, string(o.job.Action), s.Unknown)
	}
	if len(s.CleanupPending) > 0 {
		o.Out.Warn(
			"cleanup pending: the file serves %s: %s; the same command again empties the rest",
			units.Plural(len(s.CleanupPending), "user"),
			someOf(s.CleanupPending),
		)
	}
	if len(s.FlagsLeft) > 0 {
		o.Out.Warn(
			"flags left: %s of %s: %v",
			units.Plural(len(s.FlagsLeft), "flag"),
			someOf(s.FlagsLeft),
			s.flagError,
		)
	}
	o.Out.StepSummaryOf("dbmigrate "+string(o.job.Action), s.counts(), s.failures)
	for _, w := range o.Observers {
		w.End(s)
	} // the last: its copies in R2 may take a minute, and nobody should wait so long to read who is open
	if o.sheetErr != nil {
		return fmt.Errorf("write results: %w", o.sheetErr)
	}
	return nil
}
