package race

import (
	"fmt"
	"slices"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// mergeRule says how the router puts the rows of both halves together.
type mergeRule struct {
	OrderBy []orderTerm       `json:"orderBy,omitempty"`
	Limit   int               `json:"limit,omitempty"`
	Totals  map[string]string `json:"totals,omitempty"`
}

type orderTerm struct {
	Column string `json:"column"`
	Desc   bool   `json:"desc,omitempty"`
}

// newest is how many entries a merged read asks for.
const newest = 3

// lookMerged reads both halves as one: the counters in order, each part's entries added up, and the newest
// entries of the archive. An error says that they do not belong together.
func (w *world) lookMerged(u userdb.UserID) (answer, state, error) {
	byPart := []orderTerm{{Column: "p"}}
	a, reply, err := w.post(u, "both", query{
		Statements: []statement{
			{SQL: "select {c.archived} as p, {c.n} as n, {c.last} as l from {counter}"},
			{SQL: "select {e.archived} as p, count(*) as n, sum({e.n}) as s, min({e.n}) as f, max({e.n}) as l from {entries} group by 1"},
			{SQL: fmt.Sprintf("select {e.n} as n, {e.op} as o from {entries} where {e.archived} = 1 order by 1 desc limit %d", newest)},
		},
		Merge: []mergeRule{
			{OrderBy: byPart},
			{OrderBy: byPart, Totals: map[string]string{"p": "group", "n": "count", "s": "sum", "f": "min", "l": "max"}},
			{OrderBy: []orderTerm{{Column: "n", Desc: true}}, Limit: newest},
		},
	})
	if err != nil || a.outcome != applied {
		return a, state{}, err
	}
	s, err := mergedState(reply.Merged)
	return a, s, err
}

// mergedState is what the three answers show, if they are those of one ledger.
func mergedState(merged []rowsOf) (state, error) {
	var s state
	if len(merged) != 3 || len(merged[0].Rows) != int(parts) {
		return s, fmt.Errorf("a merged read has not one counter for each part: %v", merged)
	}
	var totals, tops [][]int64
	for p, row := range merged[0].Rows {
		n := row[1]
		s[p] = ledger{n: n, last: row[2]}
		if row[0] != int64(p) {
			return s, fmt.Errorf("a merged read has the counters out of order: %v", merged[0].Rows)
		}
		if n > 0 {
			totals = append(totals, []int64{int64(p), n, n * (n + 1) / 2, 1, n})
		}
	}
	if !slices.EqualFunc(merged[1].Rows, totals, slices.Equal[[]int64]) {
		return s, fmt.Errorf("a merged read has counters %v and entries %v", merged[0].Rows, merged[1].Rows)
	}
	for i := range min(newest, s[archive].n) {
		tops = append(tops, []int64{s[archive].n - i})
	}
	for i, row := range merged[2].Rows {
		if i >= len(tops) || row[0] != tops[i][0] || i == 0 && row[1] != s[archive].last {
			return s, fmt.Errorf("a merged read has the counter %v and the newest entries %v", s[archive], merged[2].Rows)
		}
	}
	if len(merged[2].Rows) != len(tops) {
		return s, fmt.Errorf("a merged read has the counter %v and the newest entries %v", s[archive], merged[2].Rows)
	}
	return s, nil
}
