package main

import (
	"context"
	"errors"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// rollout goes through the waves of a migrate, with a gate after each.
type rollout struct {
	*fleetRun
	waveOptions
	signal      context.Context // when it has ended nothing more is decided, and nothing taken back
	waves       []wave
	check, undo func(userdb.UserID) migrate.Result

	moved, look []userdb.UserID // of the wave under way: whom it moved, and whom to verify
}

// newRollout looks at users, and takes them back, with an engine.
func newRollout(o waveOptions, e *migrate.Engine, users []migrate.Found) *rollout {
	return &rollout{waveOptions: o, waves: o.divide(users),
		check: func(u userdb.UserID) migrate.Result { return e.Verify(context.Background(), u) },
		undo: func(u userdb.UserID) migrate.Result {
			return e.Rollback(context.Background(), u, migrate.RollbackOptions{})
		}}
}

var errGate = errors.New("stopped: the gate of a wave did not let the next one begin")

// run ends with the last wave, or when a gate stops it. signal ends with the first signal, stop when no more users are to be begun.
func (o *rollout) run(r *fleetRun, signal, stop context.Context) {
	o.fleetRun, o.signal = r, signal
	for i, w := range o.waves {
		if stop.Err() != nil {
			o.leaveOut(stop, w.users)
			continue
		}
		line := o.wave(stop, w, i)
		if line.Gate == gatePassed && w.canary && i+1 < len(o.waves) {
			o.pause(stop)
		}
	}
}

// leaveOut accounts for users who are not begun.
func (o *rollout) leaveOut(stop context.Context, users []migrate.Found) {
	ids, _ := idsAndSizes(users)
	o.engine.Each(stop, ids, o.action, o.one, o.done)
}

// wave moves one wave, looks at it and judges it.
func (o *rollout) wave(stop context.Context, w wave, i int) *waveLine {
	line := &waveLine{Name: w.name, Number: i + 1, Of: len(o.waves), Users: len(w.users), Outcomes: map[migrate.Outcome]int{}}
	o.out.Say("wave %d of %d, %s: %s", line.Number, line.Of, line.Name, units.Plural(line.Users, "user"))
	began := time.Now()
	o.move(stop, w, line)
	o.judge(line, began)
	return line
}

// judge looks at the wave, lets the gate decide, takes the wave back if that was asked for, and says so.
func (o *rollout) judge(line *waveLine, began time.Time) {
	o.verify(line)
	o.decide(line)
	if line.Gate == gateStopped {
		o.halt(errGate)
		if o.rollback {
			line.RolledBack = o.takeBack()
		}
	}
	line.TookMs = time.Since(began).Milliseconds()
	o.say(line)
}

// move begins nobody any more once so many failed that the gate is lost, nor when what has to come before a wave could not be done. Whom it
// moved is moved whatever else failed, such as his flag: he is looked at, and taken back with the others.
func (o *rollout) move(stop context.Context, w wave, line *waveLine) {
	o.moved, o.look = nil, nil
	ctx, lost := context.WithCancel(stop)
	defer lost()
	if err := o.prepare(ctx, w.users); err != nil {
		o.halt(err)
	}
	ids, _ := idsAndSizes(w.users)
	o.engine.EachThen(ctx, ids, o.action, o.one, o.then, func(result migrate.Result) {
		o.done(result)
		if result.Outcome == migrate.OutcomeNotBegun {
			line.NotBegun++
			return
		}
		if result.Err() != nil {
			line.Failed++
		}
		switch {
		case result.Outcome == migrate.OutcomeMigrated, result.Outcome == migrate.OutcomeSplit, result.Outcome == migrate.OutcomeResumed:
			o.moved, o.look = append(o.moved, result.User), append(o.look, result.User)
		case result.Outcome == migrate.OutcomeAlready && w.canary:
			o.look = append(o.look, result.User)
		}
		line.Outcomes[result.Outcome]++
		if o.gate.lost(line.Failed, len(w.users)) {
			lost()
		}
	})
}

// decide asks the gate. An interrupted run is not judged, nor a wave of which nobody was begun.
func (o *rollout) decide(line *waveLine) {
	if o.signal.Err() != nil || line.Users > 0 && line.NotBegun == line.Users {
		line.Gate = gateSkipped
		return
	}
	line.Gate, line.Reason = gatePassed, o.gate.judge(line)
	if line.Reason != "" {
		line.Gate = gateStopped
	}
}

func (o *rollout) verify(line *waveLine) {
	do := func(_ context.Context, u userdb.UserID) migrate.Result { return o.check(u) }
	o.engine.Each(o.signal, o.look, migrate.ActionVerify, do, func(result migrate.Result) {
		switch {
		case result.Outcome == migrate.OutcomeNotBegun:
		case result.Outcome == migrate.OutcomeDifferent:
			line.Different++
			o.afterwards(result)
		case result.Err() != nil:
			line.Unverified++
			o.afterwards(result)
		default:
			line.Verified++
		}
	})
}

// takeBack rolls back exactly those whom the wave moved, and says how many are back. A signal does not stop it: it is the way to safety.
func (o *rollout) takeBack() (back int) {
	o.out.Say("taking back %s", units.Plural(len(o.moved), "user"))
	do := func(_ context.Context, u userdb.UserID) migrate.Result {
		o.begun(u)
		return o.undo(u)
	}
	o.engine.Each(context.Background(), o.moved, migrate.ActionRollback, do, func(result migrate.Result) {
		if result.Err() == nil || isBack(result) {
			back++
		}
		o.afterwards(result)
	})
	return back
}

// pause gives people, and the application, time with the canary, and then looks at it once more.
func (o *rollout) pause(stop context.Context) {
	if o.canaryPause.Duration == 0 {
		return
	}
	o.out.Say("the canary is moved: waiting %s, then it is verified again (Ctrl-C ends the run; the canary stays)", o.canaryPause.Typed)
	select {
	case <-stop.Done():
		return
	case <-time.After(o.canaryPause.Duration):
	}
	o.judge(&waveLine{Name: "canary, after " + o.canaryPause.Typed, Number: 1, Of: len(o.waves), Users: len(o.look), Outcomes: map[migrate.Outcome]int{}}, time.Now())
}

// say writes a wave's line. A table has no place for it among the users, so people read it as talk.
func (o *rollout) say(line *waveLine) {
	o.out.Say("%s", line.sentence())
	if err := o.sheet.Note(map[string]any{"wave": line}); err != nil && o.sheetErr == nil {
		o.sheetErr = err
	}
}
