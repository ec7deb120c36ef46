package sqlitefile

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/sqltext"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// scratch is an empty database in memory that behaves like a Durable Object's: the same SQLite version, with
// its limits, functions and modules. The schema is made in it, so that SQLite itself says what a Durable
// Object would refuse, without guessing at the SQL.
type scratch struct {
	conn *capi.Conn
	// reads counts what the statements of one object read of columns, wherever views are written out.
	reads int
	// plain leaves it SQLite's own limits, functions and modules: what a file that comes back is used with.
	plain bool
}

// mostReads is how many columns the statements of one object may read when they are compiled. Views of views
// double with every level, and SQLite cannot be stopped while it compiles: a file of 8 KB took minutes. A
// Durable Object could not run such a statement anyway.
const mostReads = 10_000

var errTooCostly = fmt.Errorf("to compile it takes more than %d references to columns", mostReads)

// storeLimits are a Durable Object's limits on statements (docs: durable-objects/platform/limits; the
// undocumented ones were tried).
var storeLimits = map[int32]int32{
	sqlite3.SQLITE_LIMIT_SQL_LENGTH:          100_000,
	sqlite3.SQLITE_LIMIT_COLUMN:              100,
	sqlite3.SQLITE_LIMIT_EXPR_DEPTH:          100,
	sqlite3.SQLITE_LIMIT_COMPOUND_SELECT:     5,
	sqlite3.SQLITE_LIMIT_VDBE_OP:             25000,
	sqlite3.SQLITE_LIMIT_FUNCTION_ARG:        127,
	sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 50,
	sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER:     100,
	sqlite3.SQLITE_LIMIT_TRIGGER_DEPTH:       10,
}

func newScratch() (*scratch, error) { return openScratch(false) }

func openScratch(plain bool) (*scratch, error) {
	conn, err := capi.Open("", capi.Memory)
	if err != nil {
		return nil, err
	}
	s := &scratch{conn: conn, plain: plain}
	if err := s.configure(); err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

func (s *scratch) configure() error {
	if !s.plain {
		for id, value := range storeLimits {
			s.conn.Limit(id, value)
		}
		if err := s.conn.KeepModules(storeModules...); err != nil {
			return err
		}
	}
	// A schema that calls functions which SQLite deems unsafe there is the application's choice; only absent
	// functions count.
	if err := s.conn.Configure(sqlite3.SQLITE_DBCONFIG_TRUSTED_SCHEMA, true); err != nil {
		return err
	}
	// Triggers are compiled, and so checked, only where they can fire. Nothing is executed here but CREATE.
	if err := s.conn.Configure(sqlite3.SQLITE_DBCONFIG_ENABLE_TRIGGER, true); err != nil {
		return err
	}
	return s.conn.Authorize(s.allow)
}

// allow judges what a statement is about to do as a Durable Object does, and ends those that take too much.
func (s *scratch) allow(a capi.Action) bool {
	switch a.Code {
	case sqlite3.SQLITE_READ:
		s.reads++
		return s.reads <= mostReads
	case sqlite3.SQLITE_FUNCTION:
		return s.plain || storeFunctions[strings.ToLower(a.Second)]
	}
	return true
}

func (s *scratch) close() { s.conn.Close() }

// Unusable names the views and triggers that SQLite by itself cannot use, since they call functions that only
// some program registers.
func Unusable(ctx context.Context, objects []wire.Object) ([]Problem, error) {
	s, err := openScratch(true)
	if err != nil {
		return nil, err
	}
	defer s.close()
	found, err := s.check(ctx, objects)
	return NewReport(
			slices.DeleteFunc(
				found,
				func(f Finding) bool { return f.Level != Warning || f.Reason != ReasonFunction },
			),
		).Problems(),
		err
}

// TrySchema makes the objects in an empty database that behaves like a Durable Object's, and returns what is
// refused.
func (f *File) TrySchema(ctx context.Context, objects []wire.Object) ([]Finding, error) {
	s, err := newScratch()
	if err != nil {
		return nil, fail("check schema of", f.path, err)
	}
	defer s.close()
	list, err := s.check(ctx, objects)
	return list, fail("check schema of", f.path, err)
}

// IsSchemaType says whether SQLite writes that type into sqlite_schema. It reads others, too.
func IsSchemaType(kind string) bool { return slices.Contains(createOrder, kind) }

// createOrder is the order in which objects are made: INSTEAD OF triggers need their view.
var createOrder = []string{"table", "index", "view", "trigger"}

// check makes all objects and returns what is refused.
func (s *scratch) check(ctx context.Context, objects []wire.Object) ([]Finding, error) {
	defer s.conn.Watch(ctx)()
	var list []Finding
	made := map[string]bool{}
	for _, kind := range createOrder {
		for _, o := range objects {
			dependent := o.Type == "index" || o.Type == "trigger"
			if o.Type != kind || dependent && !made[sqltext.Fold(o.Table)] {
				continue // the table's own finding says it all
			}
			s.reads = 0
			err := s.checkOne(o)
			if endsCheck(err) {
				return nil, err
			}
			if s.reads > mostReads {
				return append(
					list,
					*tooCostly(o.Name, errTooCostly.Error()),
				), nil // what builds on it takes more still
			}
			var finding *Finding
			switch {
			case errors.As(err, &finding) && finding.Reason == ReasonTooCostly:
				return append(list, *finding), nil // and so does everything that builds on it
			case errors.As(err, &finding):
				list, err = append(list, *finding), nil // it is made all the same
			case err != nil:
				list = append(list, *refusedCreate(o.Name, err))
			default:
				list = slices.Concat(list, longPatterns(o), rollsBack(o))
			}
			if !dependent {
				made[sqltext.Fold(o.Name)] = err == nil
			}
		}
	}
	deep, err := s.checkDepth(objects)
	return append(list, deep...), err
}

// checkOne makes one object, looks whether SQLite stores its text as it was, and compiles what an application
// will compile. A *Finding is about an object that a Durable Object makes, too.
func (s *scratch) checkOne(o wire.Object) error {
	if !isCreateOf(o) {
		return fmt.Errorf("its text is not one that makes this %s", o.Type)
	}
	if err := s.conn.Exec(o.SQL); err != nil {
		return err
	}
	stored, err := storedText(s.conn, o)
	if err != nil {
		return err
	}
	if stored != o.SQL {
		return errTextChanges
	}
	switch o.Type {
	case "view":
		return asUse(o, s.compile("SELECT * FROM "+sqltext.Quote(o.Name)))
	case "trigger":
		return s.checkTrigger(o)
	}
	return nil
}

// checkTrigger compiles the writes that fire the trigger. Then the trigger goes, so that it is not found
// again behind the next one.
func (s *scratch) checkTrigger(o wire.Object) error {
	drop := "DROP TRIGGER " + sqltext.Quote(o.Name)
	for _, statement := range s.writes(o.Table) {
		if err := s.compile(statement); err != nil {
			return errors.Join(asUse(o, err), s.conn.Exec(drop))
		}
	}
	return s.conn.Exec(drop)
}

// asUse is the finding for a view or trigger that a Durable Object makes, and cannot use. A view is read by
// those who ask for it. A trigger stops every write of its table: it blocks where a limit of the Durable
// Object is all that is wrong with it. Functions differ between programs anyway: one that a program registers
// is missing in SQLite by itself, too.
func asUse(o wire.Object, err error) error {
	if err == nil || endsCheck(err) {
		return err
	}
	finding := storeLacks(o.Name, err)
	if finding.Reason == ReasonTooCostly {
		return finding // a Durable Object that lists its tables compiles it
	}
	if o.Type == "view" {
		finding.Level, finding.Detail = Warning, "the view is moved, and a SELECT from it fails: "+finding.Detail
	} else if finding.Reason == ReasonFunction {
		finding.Level, finding.Detail = Warning, "the trigger is moved, and every write that fires it fails there: "+finding.Detail
	}
	return finding
}

// checkDepth makes all triggers together, and compiles what fires them: chains of triggers and foreign key
// actions have a limit.
func (s *scratch) checkDepth(objects []wire.Object) ([]Finding, error) {
	s.conn.Limit(sqlite3.SQLITE_LIMIT_VDBE_OP, anyLength) // each trigger was measured alone
	if err := s.conn.Exec("PRAGMA foreign_keys = ON"); err != nil {
		return nil, err
	}
	for _, o := range objects {
		if o.Type == "trigger" && isCreateOf(o) {
			if err := s.conn.Exec(o.SQL); endsCheck(err) {
				return nil, err
			}
		}
	}
	var list []Finding
	for _, o := range objects {
		if o.Type != "table" && o.Type != "view" {
			continue
		}
		s.reads = 0
		for _, statement := range s.writes(o.Name) {
			err := s.prepare(statement)
			switch {
			case endsCheck(err):
				return nil, err
			case s.reads > mostReads:
				return append(list, *tooCostly(o.Name, errTooCostly.Error())), nil
			}
			if err != nil && strings.Contains(err.Error(), "triggers nested too deep") {
				list = append(
					list,
					Finding{
						Level:  Blocked,
						Reason: ReasonTriggerDepth,
						Object: o.Name,
						WayOut: "join some of the triggers or foreign key actions: at most 10 in a chain",
						Detail: "a write of it fires more than 10 triggers or foreign key actions, each by the one before: " + capi.Message(
							err,
						),
					},
				)
				break
			}
		}
	}
	return list, nil
}

// compile returns the error of a statement if it shows that a Durable Object lacks something. Other errors do
// not count: a view or trigger that names a missing column or table fails in the file just as well.
func (s *scratch) compile(statement string) error {
	err := s.prepare(statement)
	if capi.IsNoMemory(
		err,
	) { // or its program is longer than a Durable Object's may be: SQLite says the same
		s.reads = 0
		s.conn.Limit(sqlite3.SQLITE_LIMIT_VDBE_OP, anyLength)
		err = s.prepare(statement)
		s.conn.Limit(sqlite3.SQLITE_LIMIT_VDBE_OP, storeLimits[sqlite3.SQLITE_LIMIT_VDBE_OP])
	}
	if endsCheck(err) || err != nil && storeLacks("", err) != nil {
		return err
	}
	return nil
}

// anyLength is more than any limit of SQLite: it then takes the highest that it was built with.
const anyLength = 1<<31 - 1

func (s *scratch) prepare(statement string) error {
	stmt, err := s.conn.Prepare("EXPLAIN " + statement)
	if err == nil {
		stmt.Close()
	}
	return err
}

var errTextChanges = errors.New("SQLite would store another text than the file has")

// isCreateOf says whether the text of o begins as one that makes an object of its type. It is needed before
// any text that came from elsewhere is executed.
func isCreateOf(o wire.Object) bool {
	made := createdType(o.SQL)
	return made == o.Type || made == "virtual" && o.Type == "table"
}

// storedText is the text under which SQLite holds the object, "" where it does not.
func storedText(conn *capi.Conn, o wire.Object) (string, error) {
	stored := ""
	err := conn.Query(
		"SELECT sql FROM sqlite_schema WHERE type = ? AND name = ? AND tbl_name = ?",
		textParams(o.Type, o.Name, o.Table),
		func(stmt *capi.Stmt) error {
			stored = stmt.Text(0)
			return nil
		},
	)
	return stored, err
}

// writes are statements that together fire every trigger of a table or view.
func (s *scratch) writes(name string) []string {
	quoted := sqltext.Quote(name)
	statements := []string{"INSERT INTO " + quoted + " DEFAULT VALUES", "DELETE FROM " + quoted}
	columns, err := readColumns(s.conn, name, false)
	if err != nil {
		return statements // a broken view has no columns, and fails in the file as well
	}
	var sets []string
	for _, c := range columns {
		if c.Generated == NotGenerated && !c.hidden {
			sets = append(sets, sqltext.Quote(c.Name)+" = "+sqltext.Quote(c.Name))
		}
	}
	return append(statements, "UPDATE "+quoted+" SET "+strings.Join(sets, ", "))
}

// refusedCreate is the finding for a CREATE that failed.
func refusedCreate(object string, err error) *Finding {
	if finding := storeLacks(object, err); finding != nil {
		return finding
	}
	if errors.Is(err, errTextChanges) {
		return &Finding{
			Level:  Blocked,
			Reason: ReasonTextChanges,
			Object: object,
			Detail: err.Error(),
			WayOut: "recreate the object with a plain CREATE statement",
		}
	}
	return &Finding{
		Level:  Blocked,
		Reason: ReasonSchemaRefused,
		Object: object,
		Detail: "SQLite refuses its CREATE text: " + capi.Message(err),
		WayOut: "drop or recreate the object",
	}
}

// lacks are the messages of SQLite that show a limit or an absence of a Durable Object.
var lacks = []struct {
	message *regexp.Regexp
	reason  Reason
	wayOut  string
}{
	{
		regexp.MustCompile(`not authorized to use function: |no such function: `),
		ReasonFunction,
		"rewrite the expression with functions that Durable Objects have",
	},
	{regexp.MustCompile(`no such collation sequence: `), ReasonCollation, "use BINARY, NOCASE or RTRIM"},
	{regexp.MustCompile(`no such module: `), ReasonModule, "use FTS5, rtree or ordinary tables"},
	{regexp.MustCompile(`no such tokenizer: `), ReasonTokenizer, "use unicode61, ascii, porter or trigram"},
	{
		regexp.MustCompile(`too many terms in compound SELECT`),
		ReasonCompoundSelect,
		"split it into views of at most five terms",
	},
	{
		regexp.MustCompile(`Expression tree is too large|parser stack overflow`),
		ReasonExpressionDepth,
		"split the expression",
	},
	{regexp.MustCompile(`too many references to `), ReasonTooCostly, wayOutCostly},
	// SQLite writes the CREATE text into sqlite_schema by a statement of its own, which is longer than the
	// text.
	{
		regexp.MustCompile(`string or blob too big|statement too long`),
		ReasonStatementLength,
		"shorten the CREATE text: at most 100,000 bytes with what SQLite adds to it",
	},
	{
		regexp.MustCompile(`too many columns|too many result columns|too many terms in .* BY clause`),
		ReasonTooManyColumns,
		"split the table, index or view: at most 100 columns",
	},
}

func storeLacks(object string, err error) *Finding {
	for _, lack := range lacks {
		if lack.message.MatchString(err.Error()) {
			return &Finding{
				Level:  Blocked,
				Reason: lack.reason,
				Object: object,
				Detail: capi.Message(err),
				WayOut: lack.wayOut,
			}
		}
	}
	return nil
}
