package fleet

import (
	"context"
	"errors"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
)

var errGate = errors.New("stopped: the gate of a wave did not let the next one begin")

// wave goes through one wave. Where there is a gate, it looks at the wave and judges it.
func (o *run) wave(w Wave, i int) {
	ids, _ := IDsAndSizes(w.Users)
	if o.Gate == nil || o.stop.Err() != nil {
		o.each(o.stop, ids, o.done) // once the run has stopped, this says that nobody was begun
		return
	}
	line := &WaveLine{
		Name:     w.Name,
		Number:   i + 1,
		Of:       len(o.waves),
		Users:    len(ids),
		Outcomes: map[result.Outcome]int{},
	}
	o.Out.Say("wave %d of %d, %s: %s", line.Number, line.Of, line.Name, units.Plural(line.Users, "user"))
	began := time.Now()
	step := o.move(w, line)
	o.judge(step, line, began)
	if line.Gate == GatePassed && w.Canary && i+1 < len(o.waves) {
		o.pause(step)
	}
}

// step is which users a wave moved, and which to verify.
type step struct{ moved, look []userdb.UserID }

// judge looks at the wave, lets the gate decide, takes the wave back if that was asked for, and says so.
func (o *run) judge(s step, line *WaveLine, began time.Time) {
	o.verify(s, line)
	o.decide(line)
	if line.Gate == GateStopped {
		o.halt(errGate)
		if o.Gate.Rollback {
			line.RolledBack = o.takeBack(s)
		}
	}
	line.TookMs, line.At = time.Since(began).Milliseconds(), time.Now().UnixMilli()
	o.say(line)
}

// move begins nobody any more once so many failed that the gate is lost. The same holds if what has to come
// before a wave could not be done. A user counts as moved even if something else failed, such as the flag:
// the user is verified, and taken back with the others.
func (o *run) move(w Wave, line *WaveLine) (s step) {
	ctx, lost := context.WithCancel(o.stop)
	defer lost()
	if err := o.prepare(ctx, w.Users); err != nil {
		o.halt(err)
	}
	ids, _ := IDsAndSizes(w.Users)
	o.each(ctx, ids, func(one result.Result) {
		o.done(one)
		if one.Outcome == result.OutcomeNotBegun {
			line.NotBegun++
			return
		}
		if one.Err() != nil {
			line.Failed++
		}
		switch {
		case one.Outcome == result.OutcomeMigrated,
			one.Outcome == result.OutcomeSplit,
			one.Outcome == result.OutcomeResumed,
			one.Outcome == result.OutcomeBackedUp:
			s.moved, s.look = append(s.moved, one.User), append(s.look, one.User)
		case one.Outcome == result.OutcomeAlready && (w.Canary || one.Action == result.ActionBackup):
			s.look = append(s.look, one.User)
		}
		line.Outcomes[one.Outcome]++
		if o.Gate.lost(line.Failed, len(ids)) {
			lost()
		}
	})
	return s
}

// decide asks the gate. An interrupted run is not judged, nor a wave that began with no user.
func (o *run) decide(line *WaveLine) {
	if o.signal.Err() != nil || line.Users > 0 && line.NotBegun == line.Users {
		line.Gate = GateSkipped
		return
	}
	line.Gate, line.Reason = GatePassed, o.Gate.judge(line)
	if line.Reason != "" {
		line.Gate = GateStopped
	}
}

// verify looks at the users of a wave. Where a service was given up, those who are left count as not
// verified: nothing is known of them.
func (o *run) verify(s step, line *WaveLine) {
	do := func(_ context.Context, u userdb.UserID) result.Result {
		return o.seen(o.Gate.Verify(context.Background(), u))
	}
	began := time.Now()
	defer func() { o.progress.Aside(time.Since(began)) }()
	o.patientCrew().Each(o.signal, s.look, result.ActionVerify, do, func(one result.Result) {
		switch {
		case one.Outcome == result.OutcomeNotBegun && o.signal.Err() != nil:
		case one.Outcome == result.OutcomeNotBegun:
			line.Unverified++
		case one.Outcome == result.OutcomeDifferent:
			line.Different++
			o.afterwards(one)
		case one.Err() != nil:
			line.Unverified++
			o.afterwards(one)
		default:
			line.Verified++
		}
	})
}

// takeBack rolls back exactly the users that the wave moved, and says how many are back. A signal does not
// stop it: it is the way to safety. Those who could not be begun are named, since they stay where they are.
func (o *run) takeBack(s step) (back int) {
	o.Out.Say("taking back %s", units.Plural(len(s.moved), "user"))
	do := func(_ context.Context, u userdb.UserID) result.Result {
		o.begun(u)
		return o.seen(o.Gate.Undo(context.Background(), u))
	}
	var left []userdb.UserID
	named := func(_ context.Context, one result.Result) result.Result { return o.nameSuperseder(one) }
	o.patientCrew().EachThen(context.Background(), s.moved, result.ActionRollback, do, named, func(one result.Result) {
		if one.Outcome == result.OutcomeNotBegun {
			left = append(left, one.User)
			o.show(notTakenBack(one))
			return
		}
		if one.Err() == nil || isBack(one) {
			back++
		}
		o.afterwards(one)
	})
	if len(left) > 0 {
		o.Out.Warn("not taken back: %s: %s", units.Plural(len(left), "user"), someOf(left))
	}
	return back
}

// notTakenBack says the way out: the same command again would move more users.
func notTakenBack(one result.Result) result.Result {
	one.Failure = &userdb.Error{
		Op:    string(one.Action),
		Thing: string(one.User),
		Kind:  userdb.Interrupted,
		Err:   errors.New("not taken back"),
		Hint:  userfile.For(one.User, "`dbmigrate rollback USER` takes it back"),
	}
	return one
}

// pause gives people, and the application, time with the canary, and then looks at it once more.
func (o *run) pause(s step) {
	if o.Gate.Pause.Duration == 0 {
		return
	}
	o.Out.Say(
		"the canary is moved: waiting %s, then it is verified again (Ctrl-C ends the run; the canary stays)",
		o.Gate.Pause.Typed,
	)
	select {
	case <-o.stop.Done():
		return
	case <-time.After(o.Gate.Pause.Duration):
	}
	o.judge(
		s,
		&WaveLine{
			Name:     "canary, after " + o.Gate.Pause.Typed,
			Number:   1,
			Of:       len(o.waves),
			Users:    len(s.look),
			Outcomes: map[result.Outcome]int{},
		},
		time.Now(),
	)
}

// say writes a wave's line. A table has no place for it among the users, so people read it as talk.
func (o *run) say(line *WaveLine) {
	o.Out.Say("%s", line.sentence())
	for _, w := range o.Observers {
		w.Wave(line)
	}
	if err := o.sheet.Note(map[string]any{"wave": line}); err != nil && o.sheetErr == nil {
		o.sheetErr = err
	}
}
