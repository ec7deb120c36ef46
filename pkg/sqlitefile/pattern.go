package sqlitefile

import (
	"fmt"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/dbmigrate/dbmigrate/internal/sqltext"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// longPatterns finds LIKE and GLOB with a pattern that is longer than a Durable Object takes. SQLite looks at
// it only when a row is compared, so it makes the object, and then every write of the table fails. A pattern
// that is put together from values is not seen.
func longPatterns(o wire.Object) []Finding {
	most := storeLimits[sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH]
	pattern := longestPattern(o.SQL)
	if len(pattern) <= int(most) {
		return nil
	}
	f := Finding{
		Level:  Blocked,
		Reason: ReasonLikePattern,
		Object: o.Name,
		WayOut: "compare with substr(), instr() or a shorter pattern",
		Detail: fmt.Sprintf(
			"a LIKE or GLOB pattern of %d bytes, and a Durable Object takes %d",
			len(pattern),
			most,
		),
	}
	if o.Type == "view" {
		f.Level, f.Detail = Warning, "the view is moved, and a SELECT from it fails: "+f.Detail
	}
	return []Finding{f}
}

// longestPattern is the longest string literal that LIKE or GLOB, as an operator or as a function, has as its
// pattern.
func longestPattern(sql string) string {
	longest := ""
	for t, rest := sqltext.Next(sql); t != ""; t, rest = sqltext.Next(rest) {
		if !t.IsWord("LIKE") && !t.IsWord("GLOB") {
			continue
		}
		p, after := sqltext.Next(rest)
		for p == "(" {
			p, after = sqltext.Next(after)
		}
		if p != "" && p[0] == '\'' && len(p.Unquote()) > len(longest) {
			longest = p.Unquote()
		}
	}
	return longest
}

// rollsBack finds a constraint or a trigger that answers a conflict with ROLLBACK. In a Durable Object that
// ends the platform's own transaction, and the platform starts the object again.
func rollsBack(o wire.Object) []Finding {
	before := [2]sqltext.Token{}
	for t := range sqltext.Tokens(o.SQL) {
		if t.IsWord("ROLLBACK") && answersConflict(before) {
			return []Finding{{
				Level:  Warning,
				Reason: ReasonRollback,
				Object: o.Name,
				Detail: "it answers a conflict with ROLLBACK: in a Durable Object the request and those beside it end as outcome-unknown, " +
					"and nothing of the request is written",
				WayOut: "say ABORT instead: a request that fails is taken back as a whole",
			}}
		}
		before = [2]sqltext.Token{before[1], t}
	}
	return nil
}

// answersConflict says of the two tokens before ROLLBACK whether it is what a conflict does.
func answersConflict(before [2]sqltext.Token) bool {
	switch {
	case before[1].IsWord("OR"):
		return before[0].IsWord("INSERT") || before[0].IsWord("UPDATE")
	case before[1].IsWord("CONFLICT"):
		return before[0].IsWord("ON")
	}
	return before[1] == "(" && before[0].IsWord("RAISE")
}
