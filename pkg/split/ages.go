package split

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/sqltext"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
)

// The names by which applications say when something happened, and that it is over. What a column holds
// counts, and its name says which column is the better one.
var (
	overName = regexp.MustCompile(`(?i)(archiv|delet|clos|complet|finish|ended|done|cancel|resolv|settled|discharg|return|deliver|terminat|withdr|retired|fulfil|checked_?out)`)
	ageName  = regexp.MustCompile(`(?i)(^|_)(at|on|date|day|time|ts|timestamp|created|updated|modified|placed|sent|received|last|when|start|end)($|_)|([a-z](At|On|Date|Time)$)`)
	lastName = regexp.MustCompile(`(?i)(updat|modif|chang|last)`)
	// noAge are times that say nothing of a row's own age.
	noAge = regexp.MustCompile(`(?i)(birth|born|(^|_)dob($|_))`)
	// timeType are declared types of columns that hold times.
	timeType = regexp.MustCompile(`(?i)(date|time)`)
)

// age is what a column says about when.
type age struct {
	column string
	limit  func(days int) string // an expression: values below are older than that
	rank   int                   // the lower the better
	gaps   bool                  // some rows have none
}

// The ranks of columns, the best first. A column that only its contents tell may hold anything that looks
// like a time; one with times to come holds a plan.
const (
	rankOver = iota
	rankLast
	rankNamed
	rankTold
	rankPlan
)

// oldDays are the ages that a proposal tries, until at least one row of coldShare is older.
var oldDays = []int{365, 180, 90, 30}

const coldShare = 10

// suggestRule proposes a rule for a table, "" where nothing of it says how old its rows are.
func (p *proposal) suggestRule(conn *capi.Conn, t *table) (string, error) {
	var ages []age
	over := ""
	for _, c := range t.Columns {
		if len(t.primary) == 1 && t.primary[0] == c.Name || noAge.MatchString(c.Name) {
			continue
		}
		if overName.MatchString(c.Name) {
			flag, err := isFlag(conn, t, c.Name)
			if err != nil {
				return "", err
			}
			if flag && over == "" {
				over = plainName(c.Name)
				continue
			}
		}
		found, err := p.readAge(conn, t, c)
		if err != nil {
			return "", err
		}
		if found != nil {
			ages = append(ages, *found)
		}
	}
	if len(ages) == 0 {
		return "", nil
	}
	best := slices.MinFunc(ages, func(a, b age) int { return cmp.Compare(a.rank, b.rank) })
	for _, days := range oldDays {
		rule := best.rule(over, days)
		old, err := number(conn, "SELECT count(*) FROM "+t.main()+" WHERE ("+bindMoment(rule, p.at)+")")
		if err != nil || old > 0 && old*coldShare >= p.rows[t] {
			return rule, err
		}
	}
	return best.rule(over, oldDays[0]), nil
}

func (a age) rule(over string, days int) string {
	rule := a.column + " < " + a.limit(days)
	if a.gaps {
		rule = a.column + " IS NOT NULL AND " + rule
	}
	if over != "" {
		rule = over + " AND " + rule
	}
	return rule
}

// isFlag says whether a column has only 0 and 1, and both of them.
func isFlag(conn *capi.Conn, t *table, column string) (bool, error) {
	c := sqltext.Quote(column)
	n, err := number(
		conn,
		"SELECT count(DISTINCT "+c+") = 2 AND min("+c+") = 0 AND max("+c+") = 1 AND min(typeof("+c+")) = 'integer' FROM "+t.main(),
	)
	return n == 1, err
}

// readAge says how a column tells times, nil where it tells none.
func (p *proposal) readAge(conn *capi.Conn, t *table, c sqlitefile.Column) (found *age, err error) {
	if like, err := firstLookLikeTimes(conn, t, c); err != nil || !like {
		return nil, err
	}
	sql := strings.NewReplacer("{c}", sqltext.Quote(c.Name), "{now}", fmt.Sprint(p.at.Unix())).Replace(
		`SELECT count(*), count({c}),
			coalesce(sum(typeof({c}) IN ('integer', 'real')), 0),
			coalesce(sum(typeof({c}) = 'text' AND {c} GLOB '[12][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]*'), 0),
			CAST(coalesce(min(CASE WHEN typeof({c}) IN ('integer', 'real') THEN {c} END), 0) AS INTEGER),
			CAST(coalesce(max(CASE WHEN typeof({c}) IN ('integer', 'real') THEN {c} END), 0) AS INTEGER),
			coalesce(max(length({c})), 0), coalesce(sum({c} GLOB '????-??-??T*'), 0),
			coalesce(sum(typeof({c}) = 'integer' AND {c} / 100 % 100 BETWEEN 1 AND 12 AND {c} % 100 BETWEEN 1 AND 31), 0),
			coalesce(min({c}) < max({c}), 0), coalesce(max(typeof({c}) = 'text' AND {c} > date({now} + 86400, 'unixepoch')), 0),
			coalesce(sum(typeof({c}) = 'real'), 0)
		FROM `) + t.main()
	err = conn.Query(sql, nil, func(s *capi.Stmt) error {
		rows, values, numbers, texts, most := s.Int(0), s.Int(1), s.Int(2), s.Int(3), s.Int(5)
		a := age{column: plainName(c.Name), rank: rankOf(c), gaps: values < rows}
		toCome := s.Int(10) > 0
		switch {
		case values > 0 && numbers == values:
			told := numberTimes(s.Int(4), most, s.Int(8) == values, s.Int(11) == values)
			a.limit = told.limit
			toCome = told.unit != nil && most > told.unit(p.at.Unix()+86400)
			if a.rank == rankTold && !timeType.MatchString(c.Declared) && (toCome || s.Int(9) == 0) {
				a.limit = nil // any number can look like one
			}
		case values > 0 && texts == values:
			a.limit = textLimit(s.Int(6) == int64(len(time.DateOnly)), s.Int(7) > 0)
		}
		if toCome {
			a.rank = rankPlan
		}
		if a.limit != nil {
			found = &a
		}
		return nil
	})
	return found, err
}

// firstLookLikeTimes spares the rest of a column with other contents, which may be large.
func firstLookLikeTimes(conn *capi.Conn, t *table, c sqlitefile.Column) (bool, error) {
	n, err := number(conn, strings.ReplaceAll(`SELECT count(*) > 0 AND count(*) = sum(typeof({c}) IN ('integer', 'real') OR
			typeof({c}) = 'text' AND octet_length({c}) < 40 AND {c} GLOB '[12][0-9][0-9][0-9]-[01][0-9]-[0-3][0-9]*')
		FROM (SELECT {c} FROM `, "{c}", sqltext.Quote(c.Name))+t.main()+
		" WHERE "+sqltext.Quote(c.Name)+" IS NOT NULL LIMIT 100)")
	return n == 1, err
}

// rankOf goes by the name.
func rankOf(c sqlitefile.Column) int {
	switch {
	case overName.MatchString(c.Name):
		return rankOver
	case lastName.MatchString(c.Name):
		return rankLast
	case ageName.MatchString(c.Name):
		return rankNamed
	}
	return rankTold
}

// numbersOfTime is how numbers tell times; unit makes one of a second.
type numbersOfTime struct {
	limit func(days int) string
	unit  func(second int64) int64
}

// numberTimes takes numbers for times if they lie in 1990 to 2100: as seconds, milliseconds or
// microseconds, as days such as 20261130, or as Julian days. Its fields are nil for others.
func numberTimes(least, most int64, days, reals bool) numbersOfTime {
	const from, until = 631_152_000, 4_102_444_800
	for _, unit := range []struct {
		factor int64
		text   string
	}{{1, ""}, {1000, " * 1000"}, {1_000_000, " * 1000000"}} {
		if least >= from*unit.factor && most <= until*unit.factor {
			format := "(:now - %d * 86400)" + unit.text
			if unit.text == "" {
				format = ":now - %d * 86400"
			}
			return numbersOfTime{formatted(format), func(second int64) int64 { return second * unit.factor }}
		}
	}
	switch {
	case days && least >= 19900101 && most <= 21001231:
		return numbersOfTime{
			formatted("CAST(strftime('%%Y%%m%%d', :now - %d * 86400, 'unixepoch') AS INTEGER)"),
			func(second int64) int64 {
				y, m, d := time.Unix(second, 0).UTC().Date()
				return int64(y*10000 + int(m)*100 + d)
			},
		}
	case reals && least >= 2_447_892 && most <= 2_488_069:
		return numbersOfTime{
			formatted("julianday(:now - %d * 86400, 'unixepoch')"),
			func(second int64) int64 { return second/86400 + 2_440_588 },
		}
	}
	return numbersOfTime{}
}

func formatted(format string) func(days int) string {
	return func(days int) string { return fmt.Sprintf(format, days) }
}

func textLimit(date, withT bool) func(days int) string {
	switch {
	case date:
		return formatted("date(:today, '-%d days')")
	case withT:
		return formatted("strftime('%%Y-%%m-%%dT%%H:%%M:%%SZ', :now - %d * 86400, 'unixepoch')")
	}
	return formatted("datetime(:now - %d * 86400, 'unixepoch')")
}
