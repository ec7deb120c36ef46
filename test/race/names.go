package race

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/testkit/harness"
)

// places are the names that a user's database has: those of a group must differ. In SQL they stand in braces.
var places = [][]string{
	{"entries", "counter", "notes", "by-op", "titles", "no-negative"},
	{"e.archived", "e.op", "e.n"},
	{"c.name", "c.archived", "c.n", "c.last"},
	{"o.archived", "o.title", "o.weight", "o.image"},
}

// names are what one user's tables and columns are called.
type names struct {
	of   map[string]string
	fill *strings.Replacer
}

// sql puts the names into a statement.
func (n names) sql(template string) string { return n.fill.Replace(template) }

// bare is a name as it is, of a place in braces.
func (n names) bare(place string) string { return n.of[strings.Trim(place, "{}")] }

func (n names) String() string {
	var all []string
	for _, place := range slices.Sorted(maps.Keys(n.of)) {
		all = append(all, fmt.Sprintf("%s is %q", place, n.of[place]))
	}
	return strings.Join(all, ", ")
}

// oddNames are words that SQL, or we, may take for something else.
var oddNames = []string{
	"with space",
	`a "quoted" one`,
	"it's",
	"select",
	"order",
	"Größe",
	"名前",
	"1st",
	"a.b",
	"[x]",
	"--",
	"?",
	":n",
	"value",
	"jsonb_each",
	"pragma_table_xinfo",
	"r",
	"n",
	"k",
	"p",
	"rowid",
	"_dbmigrate_row",
	"true",
	"new",
	"excluded",
}

// drawNames gives a user names at random: words of our own SQL in any letter case, odd ones, and plain ones.
func drawNames(words []string) names {
	n := names{of: map[string]string{}}
	var pairs []string
	for _, group := range places {
		taken := map[string]bool{}
		for _, place := range group {
			name := drawName(place, words)
			for taken[strings.ToLower(name)] || isReserved(place, name) {
				name = drawName(place, words)
			}
			taken[strings.ToLower(name)] = true
			n.of[place] = name
			pairs = append(pairs, "{"+place+"}", `"`+strings.ReplaceAll(name, `"`, `""`)+`"`)
		}
	}
	n.fill = strings.NewReplacer(pairs...)
	return n
}

func drawName(place string, words []string) string {
	point := rand.Float64()
	switch {
	case point < 0.15:
		return strings.TrimPrefix(place, place[:max(0, strings.Index(place, ".")+1)])
	case point < 0.4 || len(words) == 0:
		return oddNames[rand.IntN(len(oddNames))]
	}
	word := words[rand.IntN(len(words))]
	return []string{word, strings.ToUpper(word), strings.ToUpper(word[:1]) + word[1:]}[rand.IntN(3)]
}

// isReserved: migrations make tables of that name, and the race itself orders entries by rowid.
func isReserved(place, name string) bool {
	return strings.HasPrefix(strings.ToLower(name), grownBySchema) || place[:2] == "e." && isRowid(name)
}

// grownBySchema begins the names of the tables that migrations make (worker/test-entry/calls.ts).
const grownBySchema = "grown_by_schema"

// isRowid: the race itself orders entries by rowid.
func isRowid(name string) bool {
	return slices.Contains([]string{"rowid", "_rowid_", "oid"}, strings.ToLower(name))
}

// ours is the SQL that this process has run.
var ours = traceOurs()

type tracedSQL struct {
	mu         sync.Mutex
	statements map[string]bool
}

// traceOurs begins before anybody runs SQL.
func traceOurs() *tracedSQL {
	t := &tracedSQL{statements: map[string]bool{}}
	capi.Trace = func(sql string) {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.statements[sql] = true
	}
	return t
}

func (t *tracedSQL) all() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Keys(t.statements))
}

// words are the identifiers of all SQL that both sides have run until now. While the runtime restarts there
// are those of this side.
func (w *world) words() []string {
	statements, err := harness.Traced(w.stack)
	if err != nil {
		statements = nil
	}
	return harness.Identifiers(append(statements, ours.all()...))
}
