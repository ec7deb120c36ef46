package race

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// snapshot is everything that a user's database holds, from one half or from both.
type snapshot struct {
	state   state
	entries [parts][]int64 // in the order in which they were written
	twice   []string       // rows that both halves have
	missing []string       // rows that neither has
}

// Reads that make a snapshot. The entries of a split user get another rowid where both halves have used one;
// their number stays.
const (
	counterQuery      = "select {c.archived}, {c.n}, {c.last} from {counter}"
	entriesQuery      = "select {e.archived}, {e.op}, {e.n} from {entries} order by rowid"
	splitEntriesQuery = "select {e.archived}, {e.op}, {e.n} from {entries} order by {e.n}"
)

// assemble makes a snapshot of the answers of one half, or of two, to a read of the counters and one of the
// entries.
func assemble(halves ...half) snapshot {
	var s snapshot
	var counters [parts]int
	var rows [parts][][]int64
	for _, h := range halves {
		for _, row := range h.Results[0].Rows {
			counters[row[0]]++
			s.state[row[0]] = ledger{n: row[1], last: row[2]}
		}
		for _, row := range h.Results[1].Rows {
			rows[row[0]] = append(rows[row[0]], row)
		}
	}
	for p := range parts {
		if len(halves) > 1 {
			slices.SortStableFunc(rows[p], func(a, b []int64) int { return cmp.Compare(a[2], b[2]) })
		}
		s.count(fmt.Sprintf("the counter of the %s", p), counters[p])
		s.addEntries(p, rows[p])
	}
	return s
}

// addEntries demands one entry for each number up to the counter's. One with a higher number is half a
// transaction: its counter is missing.
func (s *snapshot) addEntries(p part, rows [][]int64) {
	count := make(map[int64]int, len(rows))
	for _, row := range rows {
		op, n := row[1], row[2]
		s.entries[p] = append(s.entries[p], op)
		count[n]++
		if n > s.state[p].n {
			s.missing = append(
				s.missing,
				fmt.Sprintf("the counter that entry %d of the %s has counted", n, p),
			)
		}
	}
	for n := range s.state[p].n {
		s.count(fmt.Sprintf("entry %d of the %s", n+1, p), count[n+1])
	}
}

func (s *snapshot) count(row string, times int) {
	switch {
	case times == 0:
		s.missing = append(s.missing, row)
	case times > 1:
		s.twice = append(s.twice, row)
	}
}

func (s *snapshot) err() error {
	var problems []error
	if len(s.twice) > 0 {
		problems = append(problems, fmt.Errorf("there twice: %q", s.twice))
	}
	if len(s.missing) > 0 {
		problems = append(problems, fmt.Errorf("not there: %q", s.missing))
	}
	return errors.Join(problems...)
}
