package fleet

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/units"
	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/terminal"
)

// waitsForFlag is the step of a user who is done but for the flag, which goes out with those of others.
const waitsForFlag result.Stage = "waits for the flag"

// waitsForName is the step of a user who was taken over by another run, while that run is looked for.
const waitsForName result.Stage = "looks for the run that took over"

// flights counts the users who are worked on, and those who wait for their flags.
func (o *run) flights() (flying, flags int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, stage := range o.inFlight {
		if stage == waitsForFlag {
			flags++
		} else {
			flying++
		}
	}
	return flying, flags
}

func (o *run) flying() int {
	flying, _ := o.flights()
	return flying
}

func (o *run) racers() int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.racing)
}

// live says what a terminal and a log show of this moment: who is worked on, who waits, and for what.
func (o *run) live() terminal.Live {
	flying, flags := o.flights()
	live := terminal.Live{InFlight: flying}
	if flags > 0 {
		live.Waiting = append(live.Waiting, fmt.Sprintf("%d for the KV flag batch", flags))
	}
	if racing := o.racers(); racing > 0 {
		live.Waiting = append(live.Waiting, fmt.Sprintf("%d for a gap between the application's writes", racing))
	}
	if o.Waiting != nil {
		if text := o.Waiting(); text != "" {
			live.Waiting = append(live.Waiting, text)
		}
	}
	if text := o.breaker.Waits(); text != "" {
		live.Waiting = append(live.Waiting, text)
	}
	waits := o.Traffic.waits(time.Now())
	for _, who := range slices.Sorted(maps.Keys(waits)) {
		live.Waiting = append(
			live.Waiting,
			fmt.Sprintf(
				"%s throttles (%s)",
				who,
				units.FormatDuration(max(waits[who].Round(time.Second), time.Second)),
			),
		)
	}
	return live
}

// planned is what a run has to do, in the order of its users. Of those who left R2 before, a migrate moves
// nothing.
func (o *run) planned(users []inspect.Found) []terminal.Planned {
	planned := make([]terminal.Planned, len(users))
	for i, f := range users {
		planned[i] = terminal.Planned{User: string(f.User), Bytes: f.Bytes}
		if o.job.Action == result.ActionMigrate && f.Place == inspect.PlaceObject {
			planned[i].Bytes = 0
		}
	}
	return planned
}

func total(users []inspect.Found) (bytes int64) {
	for _, f := range users {
		bytes += f.Bytes
	}
	return bytes
}

// mixed puts large and small users side by side, where nothing else is meant by their order.
func mixed(waves []Wave, action result.Action) []Wave {
	if action == result.ActionRollback || action == result.ActionRehearse || action == result.ActionGC {
		return waves
	}
	out := slices.Clone(waves)
	for i := range out {
		out[i].Users = terminal.Mixed(out[i].Users, func(f inspect.Found) int64 { return f.Bytes })
	}
	return out
}

const (
	// namedLive is how many failures a terminal names while a run goes on; a log names them all.
	namedLive = 20
	// namedAgain is how many failures are named again at the end.
	namedAgain = 10
)

// nameFailed names a failure as it happens.
func (o *run) nameFailed(one result.Result) {
	o.failuresNamed++
	switch {
	case !o.Out.ErrTerminal || o.failuresNamed <= namedLive:
		o.Out.Warn("%s %s: %v", o.job.Action, one.User, one.Err())
	case o.failuresNamed == namedLive+1:
		o.Out.Warn("%s: more users fail; they are counted below, and named at the end", o.job.Action)
	}
}

// nameFailedAgain names failures once more, below everything that was written since.
func (o *run) nameFailedAgain() {
	failures := o.summary.failures
	for _, f := range failures[:min(len(failures), namedAgain)] {
		how := "failed"
		if f.Done != "" {
			how = f.Done + ", but"
		}
		o.Out.Warn("%s: %s: %s", how, f.User, f.Reason)
	}
	if more := len(failures) - namedAgain; more > 0 {
		o.Out.Warn("failed: %d more: `%s` lists them", more, o.command("status", "--run", o.Engine.Run))
	}
}

// sayWayBack says which command takes back what this run moved.
func (o *run) sayWayBack() {
	moved := o.summary.Outcomes[result.OutcomeMigrated] + o.summary.Outcomes[result.OutcomeSplit]
	if o.job.Action == result.ActionMigrate && moved > 0 {
		o.Out.Say("the way back for this run: `%s`", o.command("rollback", "--run", o.Engine.Run))
	}
}

// command is one that a person can copy.
func (o *run) command(words ...string) string {
	return strings.Join(slices.Concat([]string{"dbmigrate"}, words, o.Where), " ")
}

func bytesText(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return " " + units.FormatSize(bytes)
}
