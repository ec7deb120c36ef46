package race

import "testing"

// TestMergedState shows that a merged read is believed only if it is of one ledger, in order and complete.
func TestMergedState(t *testing.T) {
	counters := [][]int64{{0, 2, 20}, {1, 4, 44}}
	totals := [][]int64{{0, 2, 3, 1, 2}, {1, 4, 10, 1, 4}}
	tops := [][]int64{{4, 44}, {3, 33}, {2, 22}}
	for name, c := range map[string]struct {
		merged []rowsOf
		ok     bool
	}{
		"one ledger":             {[]rowsOf{{counters}, {totals}, {tops}}, true},
		"an empty ledger":        {[]rowsOf{{[][]int64{{0, 0, 0}, {1, 0, 0}}}, {}, {}}, true},
		"no merge":               {nil, false},
		"a counter twice":        {[]rowsOf{{append(counters[:1:1], counters...)}, {totals}, {tops}}, false},
		"counters out of order":  {[]rowsOf{{[][]int64{counters[1], counters[0]}}, {totals}, {tops}}, false},
		"a sum of one half":      {[]rowsOf{{counters}, {[][]int64{totals[0], {1, 4, 7, 1, 4}}}, {tops}}, false},
		"a group twice":          {[]rowsOf{{counters}, {append(totals[:1:1], totals...)}, {tops}}, false},
		"entries out of order":   {[]rowsOf{{counters}, {totals}, {[][]int64{tops[1], tops[0], tops[2]}}}, false},
		"over the limit":         {[]rowsOf{{counters}, {totals}, {append(tops[:3:3], []int64{1, 11})}}, false},
		"too few":                {[]rowsOf{{counters}, {totals}, {tops[:2]}}, false},
		"another newest entry":   {[]rowsOf{{counters}, {totals}, {[][]int64{{4, 33}, {3, 33}, {2, 22}}}}, false},
		"a total without counts": {[]rowsOf{{[][]int64{{0, 0, 0}, {1, 4, 44}}}, {totals}, {tops}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := mergedState(c.merged); (err == nil) != c.ok {
				t.Error(err)
			}
		})
	}
}
