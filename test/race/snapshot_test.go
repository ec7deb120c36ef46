package race

import (
	"fmt"
	"slices"
	"testing"
)

func halfOf(counters, entries [][]int64) half {
	return half{Results: []rowsOf{{counters}, {entries}}}
}

// TestSnapshot shows that rows are found that both halves have, or neither.
func TestSnapshot(t *testing.T) {
	file := func(entries ...[]int64) half { return halfOf([][]int64{{0, 1, 7}}, append(entries, []int64{0, 7, 1})) }
	object := func(n int64, entries ...[]int64) half { return halfOf([][]int64{{1, n, 9}}, entries) }
	for _, c := range []struct {
		name           string
		halves         []half
		twice, missing []string
	}{
		{"whole", []half{halfOf([][]int64{{0, 1, 7}, {1, 0, 0}}, [][]int64{{0, 7, 1}})}, nil, nil},
		{"split", []half{file(), object(2, []int64{1, 8, 1}, []int64{1, 9, 2})}, nil, nil},
		{"thawed", []half{file([]int64{1, 8, 1}), object(2, []int64{1, 9, 2})}, nil, nil},
		{"an entry on both sides", []half{file([]int64{1, 8, 1}), object(2, []int64{1, 8, 1}, []int64{1, 9, 2})}, []string{"entry 1 of the archive"}, nil},
		{"an entry on neither", []half{file(), object(2, []int64{1, 9, 2})}, nil, []string{"entry 1 of the archive"}},
		{"a counter on both sides", []half{file(), file(), object(0)}, []string{"the counter of the present", "entry 1 of the present"}, nil},
		{"a counter on neither", []half{file()}, nil, []string{"the counter of the archive"}},
		{"half a transaction", []half{file(), object(0, []int64{1, 8, 1})}, nil, []string{"the counter that entry 1 of the archive has counted"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := assemble(c.halves...)
			if !slices.Equal(s.twice, c.twice) || !slices.Equal(s.missing, c.missing) {
				t.Errorf("twice %q, missing %q", s.twice, s.missing)
			}
			if (s.err() == nil) != (len(c.twice)+len(c.missing) == 0) {
				t.Error(s.err())
			}
		})
	}
	s := assemble(file([]int64{1, 9, 2}), object(2, []int64{1, 8, 1}))
	if got := fmt.Sprint(s.state, s.entries); got != "[{1 7} {2 9}] [[7] [8 9]]" {
		t.Error(got)
	}
}
