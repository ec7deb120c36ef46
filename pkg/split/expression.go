package split

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/sqltext"
)

// The parameters of an expression: the fixed moment of the run, in UTC.
const (
	nowParameter   = ":now"   // seconds since 1970
	todayParameter = ":today" // 2026-11-26
)

// pureFunctions always give the same for the same values, in every version of SQLite that counts here.
var pureFunctions = wordSet(
	`abs char coalesce concat concat_ws format glob hex ifnull iif if instr length like likelihood likely lower ltrim max min nullif
	octet_length printf quote replace round rtrim sign substr substring trim typeof unhex unicode unlikely upper zeroblob
	date time datetime julianday unixepoch strftime timediff
	avg count group_concat string_agg sum total row_number rank dense_rank
	acos acosh asin asinh atan atan2 atanh ceil ceiling cos cosh degrees exp floor ln log log10 log2 mod pi pow power radians sin sinh sqrt tan tanh trunc
	json json_array json_array_length json_each json_extract json_group_array json_group_object json_insert json_object json_patch json_quote json_remove
	json_replace json_set json_tree json_type json_valid jsonb jsonb_array jsonb_each jsonb_extract jsonb_group_array jsonb_group_object jsonb_insert
	jsonb_object jsonb_patch jsonb_remove jsonb_replace jsonb_set jsonb_tree -> ->>`,
)

// dateFunctions give the present moment when they are asked for it.
var dateFunctions = wordSet("date time datetime julianday unixepoch strftime timediff")

// unsteady are the words that make an expression decide otherwise the next time.
var unsteady = wordSet(
	"random randomblob current_time current_date current_timestamp changes total_changes last_insert_rowid sqlite_version",
)

// unsteadyText are the texts that make a date function decide otherwise the next time, or elsewhere.
var unsteadyText = wordSet("now subsec subsecond localtime utc")

func wordSet(words string) map[string]bool {
	set := map[string]bool{}
	for _, word := range strings.Fields(words) {
		set[word] = true
	}
	return set
}

// checkExpression checks what can be known without a database: that the text is one SQL expression, and that
// it decides the same whenever it is asked.
func checkExpression(sql string) error {
	tokens := sqltext.All(sql)
	if len(tokens) == 0 {
		return errors.New("it is empty: leave it out for a table if its rows only follow their parents")
	}
	if first := tokens[0]; first.IsWord("select") || first.IsWord("values") || first.IsWord("with") {
		return fmt.Errorf(
			"it is a %s, and must be one expression that is true for cold rows: a query stands in parentheses, as in id IN (SELECT ...)",
			strings.ToUpper(string(first)),
		)
	}
	if err := checkShape(tokens); err != nil {
		return err
	}
	if err := checkSteady(tokens); err != nil {
		return err
	}
	return checkSyntax(bindMoment(sql, time.Unix(0, 0)))
}

// checkShape keeps an expression from leaving the parentheses that it is put into.
func checkShape(tokens []sqltext.Token) error {
	depth := 0
	for _, token := range tokens {
		switch {
		case token == "(":
			depth++
		case token == ")":
			depth--
		case token == ";":
			return errors.New("a semicolon, and it must be one expression")
		case token.IsParameter() && token != nowParameter && token != todayParameter:
			return fmt.Errorf(
				"the parameter %s, and there are only %s (seconds since 1970) and %s (a date)",
				token,
				nowParameter,
				todayParameter,
			)
		}
		if depth < 0 {
			break
		}
	}
	if depth != 0 {
		return errors.New("its parentheses do not match")
	}
	return nil
}

func checkSteady(tokens []sqltext.Token) error {
	asksDates := slices.ContainsFunc(tokens, func(t sqltext.Token) bool {
		return dateFunctions[sqltext.Fold(string(t))]
	})
	for i, token := range tokens {
		word := sqltext.Fold(string(token))
		switch {
		case unsteady[word]:
			return fmt.Errorf(
				"%s, which gives another value the next time: use %s or %s, the fixed moment of the run",
				token,
				nowParameter,
				todayParameter,
			)
		case asksDates && token[0] == '\'' && unsteadyText[sqltext.Fold(token.Unquote())]:
			return fmt.Errorf(
				"%s, which gives another value at another time or place: use %s or %s, the fixed moment of the run in UTC",
				token,
				nowParameter,
				todayParameter,
			)
		case dateFunctions[word] && momentless(word, tokens[i+1:]):
			return fmt.Errorf(
				"%s without a moment means the present one, and a second run would decide otherwise: give it %s or a column",
				token,
				nowParameter,
			)
		}
	}
	return nil
}

// momentless says whether the call of a date function names no moment: f(), strftime('%s'). rest begins
// behind the function's name.
func momentless(function string, rest []sqltext.Token) bool {
	if len(rest) < 2 || rest[0] != "(" {
		return false
	}
	if function == "strftime" {
		return len(rest) > 2 && rest[2] == ")"
	}
	return rest[1] == ")"
}

// bindMoment puts the fixed moment in place of the parameters.
func bindMoment(sql string, at time.Time) string {
	var b strings.Builder
	for token, before := range sqltext.Tokens(sql) {
		b.WriteString(before)
		switch token {
		case nowParameter:
			b.WriteString(strconv.FormatInt(at.Unix(), 10))
		case todayParameter:
			b.WriteString(sqltext.QuoteText(at.UTC().Format(time.DateOnly)))
		default:
			b.WriteString(string(token))
		}
	}
	// The line's end closes a comment.
	return b.String() + "\n"
}

// checkSyntax lets SQLite parse it. That columns and tables are not there is no fault here.
func checkSyntax(sql string) error {
	conn, err := capi.Open("", capi.Memory)
	if err != nil {
		return err
	}
	defer conn.Close()
	stmt, err := conn.Prepare("SELECT 1 WHERE (" + sql + ")")
	if err == nil {
		stmt.Close()
		return nil
	}
	for _, syntax := range []string{"syntax error", "unrecognized token", "incomplete input", "parser stack overflow"} {
		if message := capi.Message(err); strings.Contains(message, syntax) {
			return errors.New(message)
		}
	}
	return nil
}

// allowReading lets an expression read tables and call pure functions, and nothing else.
func allowReading(a capi.Action) bool {
	switch a.Code {
	case sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_RECURSIVE:
		return true
	case sqlite3.SQLITE_FUNCTION:
		return pureFunctions[strings.ToLower(a.Second)]
	}
	return false
}
