package effort

import (
	"slices"
	"testing"
)

func TestConsecutiveTurnsDoEverything(t *testing.T) {
	for length := 1; length < 40; length++ {
		all := make([]int, length)
		for i := range all {
			all[i] = i
		}
		for n := 1; n <= length; n++ {
			first := 1000 + length
			var done []int
			for turn := first; turn < first+(length+n-1)/n; turn++ {
				done = append(done, part(all, n, turn)...)
			}
			slices.Sort(done)
			if done = slices.Compact(done); !slices.Equal(done, all) {
				t.Errorf("%d at a time, %d of %d are done", n, len(done), length)
			}
		}
	}
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
