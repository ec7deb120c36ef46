package effort

import (
	"flag"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// TestTurnsDoEverything: consecutive ones, and every sixth one, wherever they begin.
func TestTurnsDoEverything(t *testing.T) {
	for length := 1; length < 40; length++ {
		for n := 1; n <= length; n++ {
			groups := (length + n - 1) / n
			for first := 1000; first < 1000+turns*groups; first++ {
				if done := doneBy(length, n, first, 1, groups+2*turns); done != length {
					t.Errorf("%d at a time from turn %d on, %d of %d are done", n, first, done, length)
				}
				if done := doneBy(length, n, first, turns, groups); done != length {
					t.Errorf("%d at every sixth turn from %d on, %d of %d are done", n, first, done, length)
				}
			}
		}
	}
}

// doneBy is how many of length are done by so many turns.
func doneBy(length, n, first, step, turns int) int {
	all := make([]int, length)
	for i := range all {
		all[i] = i
	}
	done := map[int]bool{}
	for k := range turns {
		for _, one := range part(all, n, first+k*step) {
			done[one] = true
		}
	}
	return len(done)
}

func TestVariable(t *testing.T) {
	for text, want := range map[string]choice{"whole": {whole: true}, "0": {}, "71": {turn: 71}} {
		if got := parse(text); got != want {
			t.Errorf("%q is %+v", text, got)
		}
	}
	for _, text := range []string{"all", "-1", "1.5", " "} {
		if parse(text).err == nil {
			t.Errorf("%q is taken", text)
		}
	}
	if now := parse(""); now.turn < 20000 || now.whole {
		t.Errorf("nothing is said, and it is %+v", now)
	}
}

// TestSubtestsAreAPart: what only some subtests show is not the whole table of a test.
func TestSubtestsAreAPart(t *testing.T) {
	for options, want := range map[[2]string]bool{
		{"", ""}:                                     false,
		{"TestMutations", ""}:                        false,
		{"TestMutations|TestLives", "X"}:             false,
		{"TestMutations/any-fence", ""}:              true,
		{"TestMutations", "TestMutations/any-fence"}: true,
	} {
		set := flag.NewFlagSet("", flag.ContinueOnError)
		set.String("test.run", options[0], "")
		set.String("test.skip", options[1], "")
		if got := choosesSubtests(set.Lookup); got != want {
			t.Errorf("-run %q -skip %q: %v", options[0], options[1], got)
		}
	}
	if choosesSubtests(flag.NewFlagSet("", flag.ContinueOnError).Lookup) {
		t.Error("without options of go test: true")
	}
}

// TestTurnsInARow: each part runs at one of them, and at any that finds it changed.
func TestTurnsInARow(t *testing.T) {
	ran := map[string]int{}
	for turn := 70; turn < 70+turns; turn++ {
		c := choice{turn: turn}
		wait, err := c.waiting(fstest.MapFS{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, parts := range byTurn {
			for _, one := range parts {
				if !wait.has(one) {
					ran[one]++
				}
			}
		}
	}
	for one, times := range ran {
		if times != 1 {
			t.Errorf("%s runs %d times", one, times)
		}
	}
}

func (w Wait) has(one string) bool {
	dir, test, isTest := strings.Cut(one, " ")
	if isTest {
		return slices.Contains(w.Tests, test)
	}
	return slices.Contains(w.Packages, dir)
}

// TestWhatChangedDoesNotWait: at no turn.
func TestWhatChangedDoesNotWait(t *testing.T) {
	for _, parts := range byTurn {
		for _, one := range parts {
			dir, test, isTest := strings.Cut(one, " ")
			changes := []string{dir + "/x_test.go", dir + "/testdata/x"}
			repo := fstest.MapFS{changes[0]: {Data: []byte("\nfunc " + test + "(t *testing.T) {}\n")}}
			for turn := range turns {
				for _, changed := range changes {
					c := choice{turn: turn}
					wait, err := c.waiting(repo, []string{"go.mod", changed})
					if err != nil || wait.has(one) {
						t.Errorf("turn %d leaves %s out, where %s changed: %v", turn, one, changed, err)
					}
				}
				c := choice{turn: turn}
				gone := []string{dir + "/gone_test.go"}
				if wait, err := c.waiting(repo, gone); err != nil || isTest && turn > 0 && !wait.has(one) && !slices.Contains(byTurn[turn], one) {
					t.Errorf("turn %d runs %s, where another file changed: %v", turn, one, err)
				}
			}
		}
	}
}
