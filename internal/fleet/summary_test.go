package fleet

import (
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/result"
)

func TestExit(t *testing.T) {
	different := map[result.Outcome]int{result.OutcomeDifferent: 1, result.OutcomeEqual: 5}
	for name, test := range map[string]struct {
		summary Summary
		want    int
	}{
		"done":                   {Summary{Outcomes: map[result.Outcome]int{result.OutcomeMigrated: 3}}, ExitDone},
		"nothing to do":          {Summary{}, ExitDone},
		"one failed":             {Summary{Failed: 1}, ExitFailed},
		"not begun":              {Summary{NotBegun: 1}, ExitFailed},
		"different":              {Summary{Outcomes: different}, ExitDifferent},
		"different and failed":   {Summary{Outcomes: different, Failed: 1}, ExitDifferent},
		"interrupted, all done":  {Summary{Interrupted: true}, ExitInterrupted},
		"interrupted, different": {Summary{Interrupted: true, Outcomes: different, Failed: 1}, ExitInterrupted},
	} {
		if got := test.summary.exit(); got != test.want {
			t.Errorf("%s: %d, want %d", name, got, test.want)
		}
	}
}
