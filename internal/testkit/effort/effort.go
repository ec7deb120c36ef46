// Package effort says how much of the whole a run of the tests does. It is the only place that knows: `make
// test` does a part of each large proof, another one at each commit, and `make proof` does everything. A test
// that does less says so, in a line that begins with "effort:".
package effort

import (
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Variable is the one switch: "whole" for everything, or the number of a turn, which chooses the part. `make`
// sets the number of the commit.
const Variable = "DBMIGRATE_EFFORT"

const whole = "whole"

// chosen is read while a test runs, not before: so `go test` knows that a result of another turn is another
// one.
var chosen = sync.OnceValue(func() choice { return parse(os.Getenv(Variable)) })

// choice is what Variable says.
type choice struct {
	whole bool
	turn  int
	err   error
}

// parse takes the day where nothing is said, so that tomorrow's run does another part.
func parse(text string) choice {
	if text == "" {
		return choice{turn: int(time.Now().Unix() / (24 * 60 * 60))}
	}
	if text == whole {
		return choice{whole: true}
	}
	turn, err := strconv.Atoi(text)
	if err != nil || turn < 0 {
		return choice{err: fmt.Errorf("%s is %q: give %q or the number of a turn", Variable, text, whole)}
	}
	return choice{turn: turn}
}

// Whole says whether this run does everything.
func Whole(t testing.TB) bool {
	t.Helper()
	c := chosen()
	if c.err != nil {
		t.Fatal(c.err)
	}
	return c.whole
}

// Complete says whether this run does everything of the test, not only some subtests of it.
func Complete(t testing.TB) bool {
	t.Helper()
	return Whole(t) && !choosesSubtests(flag.Lookup)
}

// choosesSubtests says whether go test was given a pattern for names of subtests.
func choosesSubtests(option func(name string) *flag.Flag) bool {
	for _, name := range []string{"test.run", "test.skip"} {
		if f := option(name); f != nil && strings.Contains(f.Value.String(), "/") {
			return true
		}
	}
	return false
}

// Some returns n of all, or all of them in a whole run. Each turn does another part: consecutive turns do
// everything, and so does every sixth one.
func Some[T any](t testing.TB, what string, all []T, n int) []T {
	t.Helper()
	if Whole(t) || len(all) <= n {
		return all
	}
	say(t, fmt.Sprintf("%d of %d %s", n, len(all), what))
	return part(all, n, chosen().turn)
}

// Part is Some for programs: they print what it notes.
func Part[T any](what string, all []T, n int) (some []T, note string, err error) {
	c := chosen()
	if c.err != nil || c.whole || len(all) <= n {
		return all, "", c.err
	}
	return part(
			all,
			n,
			c.turn,
		), fmt.Sprintf(
			"effort: %d of %d %s (%s=%d)\n",
			n,
			len(all),
			what,
			Variable,
			c.turn,
		), nil
}

// Numbered is Some of the numbers from 0 to all-1.
func Numbered(t testing.TB, what string, all, n int) []int {
	t.Helper()
	numbers := make([]int, all)
	for i := range numbers {
		numbers[i] = i
	}
	return Some(t, what, numbers, n)
}

// part begins where the turn before ended, and goes on at the beginning after the end.
func part[T any](all []T, n, turn int) []T {
	some := make([]T, n)
	first := group(turn, (len(all)+n-1)/n) * n
	for i := range some {
		some[i] = all[(first+i)%len(all)]
	}
	return some
}

// group is which of the groups has its turn. A test runs at each turn, or at every sixth one (Waiting), and
// has to come to every group. So each of the six begins elsewhere, and goes on by one.
func group(turn, groups int) int {
	apart := (groups + turns - 1) / turns
	return (turn/turns + turn%turns*apart) % groups
}

// Amount is how much of something is done: little, or all of it in a whole run.
func Amount[N ~int | ~int64](t testing.TB, what string, little, all N) N {
	t.Helper()
	if Whole(t) {
		return all
	}
	say(t, fmt.Sprintf("%v of %v %s", little, all, what))
	return little
}

// Seed is where random choices begin: at 1 in a whole run, and elsewhere at each turn.
func Seed(t testing.TB, what string) uint64 {
	t.Helper()
	if Whole(t) {
		return 1
	}
	const apart = 1_000_000
	first := uint64(chosen().turn)*apart + 1
	say(t, fmt.Sprintf("%s from %d on", what, first))
	return first
}

// WholeOnly leaves the test to a whole run. instead names the test that does a small form of it.
func WholeOnly(t testing.TB, instead string) {
	t.Helper()
	if !Whole(t) {
		say(t, "0 of 1, left to make proof; in small: "+instead)
		t.SkipNow()
	}
}

func say(t testing.TB, what string) {
	t.Helper()
	t.Logf("effort: %s: %s (%s=%d)", t.Name(), what, Variable, chosen().turn)
}
