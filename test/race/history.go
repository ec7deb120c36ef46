package race

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// interval is when a request was sent and answered, since the run's begin.
type interval struct{ called, returned time.Duration }

// part names one of the two ledgers that a user has. The archive's rows are those that the policy of split
// mode calls cold; users who are never split leave it empty.
type part int

const (
	present part = iota
	archive
	parts // how many there are
)

func (p part) String() string { return [...]string{"present", "archive"}[p] }

// ledger is what a user's database shows of a part: a counter, and the number of the write that came last.
type ledger struct{ n, last int64 }

// state is what the model has of a user.
type state [parts]ledger

// deed is what a request does.
type deed int

const (
	write         deed = iota // to one part
	look                      // at one part
	lookAtBoth                // of one moment
	writeAnywhere             // to one part, wherever the router finds it
	lookMerged                // at both, put together by the router
	locate                    // the counter of one part
	copyBoth                  // a backup, which is a look at both
)

func (d deed) String() string {
	return [...]string{"write", "look", "look at both", "write anywhere", "look merged", "locate", "copy both"}[d]
}

// step is the input of an operation in a history.
type step struct {
	deed deed
	part part
	op   int64 // of a write
}

// nothingSeen is the output of a write with a lost answer.
const nothingSeen = -1

// modelFrom is the sequential meaning of the requests, from the state at an epoch's begin. A write appends
// its number to a part, increments the counter of that part, and answers the new value. A look answers the
// part, or both.
func modelFrom(start state) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return start },
		Step: func(before, input, output any) (bool, any) {
			now, in := before.(state), input.(step)
			switch in.deed {
			case lookAtBoth:
				return output.(state) == now, now
			case look:
				return output.(ledger) == now[in.part], now
			}
			after := now
			after[in.part] = ledger{n: now[in.part].n + 1, last: in.op}
			seen := output.(ledger).n
			return seen == after[in.part].n || seen == nothingSeen, after
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %+v", input, output) },
	}
}

// epoch is a bounded piece of one user's history, between two moments at which no request was under way.
type epoch struct {
	start        state
	acknowledged [parts][]int64
	history      []porcupine.Operation
}

func (e *epoch) wrote(client int, p part, op, n int64, seen interval) {
	e.acknowledged[p] = append(e.acknowledged[p], op)
	e.add(client, step{deed: write, part: p, op: op}, ledger{n: n}, seen)
}

func (e *epoch) looked(client int, p part, answer ledger, seen interval) {
	e.add(client, step{deed: look, part: p}, answer, seen)
}

func (e *epoch) lookedAtBoth(client int, answer state, seen interval) {
	e.add(client, step{deed: lookAtBoth}, answer, seen)
}

// happened adds a write that was never acknowledged and is there all the same: it took effect at any time
// since it was sent. (Those that are not there have no part in any order of what was seen.)
func (e *epoch) happened(client int, p part, op int64, seen interval) {
	e.add(
		client,
		step{deed: write, part: p, op: op},
		ledger{n: nothingSeen},
		interval{called: seen.called, returned: math.MaxInt64},
	)
}

func (e *epoch) add(client int, input step, output any, seen interval) {
	e.history = append(e.history, porcupine.Operation{ClientId: client, Input: input, Output: output,
		Call: int64(seen.called), Return: int64(seen.returned)})
}

// checkPatience is far more than a check of an epoch takes; one that takes longer has proved nothing, which
// is a failure.
const checkPatience = time.Minute

// check looks for an order of the operations that explains every answer.
func (e *epoch) check() error {
	switch porcupine.CheckOperationsTimeout(modelFrom(e.start), e.history, checkPatience) {
	case porcupine.Ok:
		return nil
	case porcupine.Unknown:
		return fmt.Errorf(
			"a history of %d operations could not be checked within %v",
			len(e.history),
			checkPatience,
		)
	}
	return fmt.Errorf(
		"no order of these requests explains their answers (not linearizable), from %+v on:\n%s",
		e.start,
		describe(e.history),
	)
}

func describe(history []porcupine.Operation) string {
	slices.SortFunc(history, func(a, b porcupine.Operation) int { return int(a.Call - b.Call) })
	text := ""
	for _, o := range history {
		text += fmt.Sprintf(
			"  %v-%v client %d %+v: %+v\n",
			time.Duration(o.Call),
			time.Duration(o.Return),
			o.ClientId,
			o.Input,
			o.Output,
		)
	}
	return text
}

// finding is what an audit found.
type finding struct {
	lost       []int64 // acknowledged, and not there
	duplicated []int64 // there twice
	invented   []int64 // there, although the client was told that nothing was written
	reordered  bool    // what was there before no longer stands first
	appeared   []int64 // writes of unknown outcome that are there
}

// audit compares the entries of a part with those before and with what was acknowledged since.
func audit(before, now, acknowledged []int64, unknown map[int64]interval) finding {
	var f finding
	count := make(map[int64]int, len(now))
	for _, op := range now {
		if count[op]++; count[op] == 2 {
			f.duplicated = append(f.duplicated, op)
		}
	}
	explained := make(map[int64]bool, len(before)+len(acknowledged))
	for _, op := range slices.Concat(before, acknowledged) {
		explained[op] = true
		if count[op] == 0 {
			f.lost = append(f.lost, op)
		}
	}
	for op := range count {
		_, isUnknown := unknown[op]
		switch {
		case explained[op]:
		case isUnknown:
			f.appeared = append(f.appeared, op)
		default:
			f.invented = append(f.invented, op)
		}
	}
	f.reordered = len(f.lost) == 0 && !slices.Equal(before, now[:min(len(before), len(now))])
	return f
}

func (f finding) err() error {
	var problems []error
	for what, ops := range map[string][]int64{
		"acknowledged and lost":               f.lost,
		"applied twice":                       f.duplicated,
		"applied, although they were refused": f.invented,
	} {
		if len(ops) > 0 {
			problems = append(problems, fmt.Errorf("writes %v were %s", ops, what))
		}
	}
	if f.reordered {
		problems = append(problems, errors.New("entries changed their order"))
	}
	return errors.Join(problems...)
}
