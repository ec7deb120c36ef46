package sqlitefile

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/sqltext"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Report says whether a Durable Object can hold a database exactly, and if not, why.
type Report struct {
	Level    Level     `json:"level"` // the gravest of Findings
	Findings []Finding `json:"findings"`
	Tables   int       `json:"tables"` // that hold rows
	Rows     int64     `json:"rows"`
	// Entries are counted by Survey, for databases that can be moved only.
	Entries Entries `json:"entries"`
}

// NewReport sums up findings of CheckSchema, CheckIntegrity or RowCheckers; those of one reason about one
// object and column become one.
func NewReport(list []Finding) *Report {
	found := findings{}
	found.add(list...)
	return &Report{Level: found.level(), Findings: found.list}
}

// Err is nil for a database that can be moved; otherwise a *userdb.Error of kind NotSQLite, Damaged or
// Blocked with the gravest finding in it.
func (r *Report) Err() error {
	if r.Level.rank() < Fixable.rank() {
		return nil
	}
	var grave []Finding
	for _, f := range r.Findings {
		if f.Level == r.Level {
			grave = append(grave, f)
		}
	}
	first := &grave[0]
	return &userdb.Error{Op: "preflight", Kind: first.kind(), Err: &refusal{first, grave}, Hint: first.WayOut}
}

// findings gathers findings, merging those of one reason about one object and column.
type findings struct{ list []Finding }

func (fs *findings) add(added ...Finding) {
	for _, f := range added {
		i := slices.IndexFunc(
			fs.list,
			func(g Finding) bool { return g.Reason == f.Reason && g.Object == f.Object && g.Column == f.Column },
		)
		switch {
		case i < 0:
			fs.list = append(fs.list, f)
		case f.Key != "" && fs.list[i].Key == "": // a row's own finding says more than the integrity check's
			fs.list[i] = f
		}
	}
}

func (fs *findings) level() Level {
	level := Ready
	for _, f := range fs.list {
		if f.Level.rank() > level.rank() {
			level = f.Level
		}
	}
	return level
}

// Preflight opens the private copy at path and checks it with the limits of production. What is wrong with
// the database stands in the report, even when it is no database at all; an error means that the check could
// not be done.
func Preflight(ctx context.Context, path string) (Report, error) {
	return PreflightWithin(ctx, path, wire.DefaultLimits)
}

// PreflightWithin is Preflight with the limits that a Worker stated.
func PreflightWithin(ctx context.Context, path string, limits wire.Limits) (Report, error) {
	return preflightFile(ctx, path, limits, (*File).Preflight)
}

// Survey is PreflightWithin that counts the entries, too, for those who want to know what a move would write.
func Survey(ctx context.Context, path string, limits wire.Limits) (Report, error) {
	return preflightFile(
		ctx,
		path,
		limits,
		func(f *File, ctx context.Context, limits wire.Limits) (Report, error) {
			report, err := f.Preflight(ctx, limits)
			if err == nil && report.Err() == nil {
				report.Entries, err = f.CountEntries(ctx)
			}
			return report, err
		},
	)
}

func preflightFile(
	ctx context.Context,
	path string,
	limits wire.Limits,
	check func(*File, context.Context, wire.Limits) (Report, error),
) (Report, error) {
	f, err := Open(ctx, path)
	var finding *Finding
	if errors.As(err, &finding) {
		return Report{Level: finding.Level, Findings: []Finding{*finding}}, nil
	}
	if err != nil {
		return Report{}, err
	}
	report, err := check(f, ctx, limits)
	return report, errors.Join(err, f.Close())
}

// Preflight checks everything: schema, integrity of the file, every row. An engine that streams the rows
// anyway can use CheckSchema, CheckIntegrity and a RowChecker for each table instead, and gets the same
// findings.
func (f *File) Preflight(ctx context.Context, limits wire.Limits) (Report, error) {
	found := findings{}
	schema, err := f.CheckSchema(ctx, limits)
	if err != nil {
		return Report{}, err
	}
	found.add(schema...)
	integrity := f.startIntegrityCheck(ctx)
	report := Report{Tables: len(f.tables)}
	rows, err := f.checkRows(ctx, limits, &report.Rows, found.level())
	damage, integrityErr := integrity()
	if err := errors.Join(err, integrityErr); err != nil {
		return Report{}, err
	}
	if slices.ContainsFunc(rows, func(f Finding) bool { return f.Reason == ReasonRowTooLarge }) {
		damage = slices.DeleteFunc(
			damage,
			func(f Finding) bool { return f.Reason == ReasonTooCostly },
		) // it met the same value
	}
	found.add(damage...)
	found.add(rows...)
	report.Findings, report.Level = found.list, found.level()
	return report, nil
}

// startIntegrityCheck runs the check beside the reading of the rows; the returned function waits for it.
func (f *File) startIntegrityCheck(ctx context.Context) func() ([]Finding, error) {
	type result struct {
		findings []Finding
		err      error
	}
	done := make(chan result, 1)
	go func() {
		list, err := f.CheckIntegrity(ctx)
		done <- result{list, err}
	}()
	return func() ([]Finding, error) {
		r := <-done
		return r.findings, r.err
	}
}

// checkRows reads every row once.
func (f *File) checkRows(
	ctx context.Context,
	limits wire.Limits,
	rows *int64,
	schema Level,
) ([]Finding, error) {
	if schema == Blocked && f.head.encoding() != encodingUTF8 {
		return nil, nil // its rows are read from a copy, and a copy of such a schema may be impossible
	}
	var list []Finding
	for i := range f.tables {
		t := &f.tables[i]
		if t.Hidden {
			continue // the schema's finding
		}
		checker := NewRowChecker(t, limits)
		stored, end, err := f.newStoredChecker(ctx, t)
		if err == nil {
			err = f.Rows(ctx, t, nil, func(row []wire.Value) error {
				checker.Check(row)
				*rows++
				return stored.check(row)
			})
		}
		end()
		list = append(list, checker.Findings()...)
		list = append(list, stored.findings()...)
		var finding *Finding
		if errors.As(err, &finding) {
			list = append(list, *finding)
		} else if err != nil {
			return nil, err
		}
	}
	return list, nil
}

// CheckSchema checks all that can be known without reading the rows of ordinary tables: header, names,
// lengths, what SQLite with a Durable Object's limits refuses, and the indexes of FTS5 tables over external
// content.
func (f *File) CheckSchema(ctx context.Context, limits wire.Limits) ([]Finding, error) {
	schema, err := f.checkSchemaAlone(ctx, limits)
	if err != nil {
		return nil, err
	}
	indexes, err := f.checkExternalIndexes(ctx)
	if err != nil {
		return nil, fail("check FTS5 indexes of", f.path, err)
	}
	found := findings{schema}
	found.add(indexes...)
	return found.list, nil
}

// checkSchemaAlone is CheckSchema without what needs other pages than the schema's.
func (f *File) checkSchemaAlone(ctx context.Context, limits wire.Limits) ([]Finding, error) {
	found := findings{}
	found.add(f.checkHeader(limits)...)
	var sound []wire.Object
	for i := range f.objects {
		o := &f.objects[i]
		problems := f.checkObject(o, limits)
		found.add(problems...)
		if len(problems) == 0 && o.carried() {
			sound = append(sound, o.Object)
		}
	}
	for i := range f.tables {
		t := &f.tables[i]
		if t.Hidden {
			found.add(*hiddenRowid(t))
		} else if finding := unreadable(t, limits); finding != nil {
			found.add(*finding)
		}
		for _, finding := range []*Finding{storedIn(t, f.head.encoding()), f.oldDescending(t)} {
			if finding != nil {
				found.add(*finding)
			}
		}
	}
	if finding := schemaTooBig(sound, limits); finding != nil {
		found.add(*finding)
		return found.list, nil // what is too large to be kept is too large to be tried
	}
	refused, err := checkInScratch(ctx, sound)
	if err != nil {
		return nil, fail("check schema of", f.path, err)
	}
	found.add(refused...)
	return found.list, nil
}

// schemaTooBig adds up what a Durable Object reads of its schema as one value, to know whether it has
// changed.
func schemaTooBig(objects []wire.Object, limits wire.Limits) *Finding {
	const perObject = 16 // the page number and what separates the parts
	size, largest := 0, wire.Object{}
	for _, o := range objects {
		size += len(o.Type) + len(o.Name) + len(o.SQL) + perObject
		if len(o.SQL) > len(largest.SQL) {
			largest = o
		}
	}
	if int64(size) <= limits.CellBytes {
		return nil
	}
	return &Finding{
		Level:  Blocked,
		Reason: ReasonSchemaTooBig,
		Object: largest.Name,
		WayOut: "shorten the CREATE texts, this one first, or drop what is not used",
		Detail: fmt.Sprintf(
			"the CREATE texts have %d bytes together, and a Durable Object holds %d in one value",
			size,
			limits.CellBytes,
		),
	}
}

func checkInScratch(ctx context.Context, objects []wire.Object) ([]Finding, error) {
	s, err := newScratch()
	if err != nil {
		return nil, err
	}
	defer s.close()
	return s.check(ctx, objects)
}

func (f *File) checkHeader(limits wire.Limits) []Finding {
	var list []Finding
	if f.head.walMode() {
		list = append(
			list,
			Finding{
				Level:  Warning,
				Reason: ReasonWALMode,
				Detail: "the file is in write-ahead-log mode: writes in a -wal file that was not uploaded are not in it",
				WayOut: "checkpoint, or close the database, before each upload",
			},
		)
	}
	if used := f.head.usedBytes(); used > limits.DatabaseBytes {
		list = append(
			list,
			Finding{
				Level:  Blocked,
				Reason: ReasonDatabaseTooBig,
				Detail: fmt.Sprintf("%d bytes, and a Durable Object holds %d", used, limits.DatabaseBytes),
				WayOut: "move large values to R2, or split the database",
			},
		)
	}
	return list
}

// checkObject looks at one object of the schema by itself.
func (f *File) checkObject(o *object, limits wire.Limits) []Finding {
	var list []Finding
	if finding := o.undecodable(); finding != nil {
		list = append(list, *finding)
	}
	if !slices.Contains(createOrder, o.Type) {
		return append(list, *unknownType(o))
	}
	if o.ofStore() {
		list = append(
			list,
			Finding{
				Level:  Blocked,
				Reason: ReasonReservedName,
				Object: o.Name,
				Detail: "Durable Objects keep this name for themselves",
				WayOut: "rename it",
			},
		)
	}
	if o.internal() {
		return append(list, checkInternal(o)...)
	}
	if !o.shadow() && int64(len(o.SQL)) > limits.StatementBytes {
		list = append(
			list,
			Finding{
				Level:  Blocked,
				Reason: ReasonStatementLength,
				Object: o.Name,
				WayOut: "shorten the CREATE text",
				Detail: fmt.Sprintf(
					"a CREATE text of %d bytes, and a Durable Object takes %d",
					len(o.SQL),
					limits.StatementBytes,
				),
			},
		)
	}
	for i := range f.virtual {
		if v := &f.virtual[i]; v.name == o.Name && o.Type == "table" && v.finding != nil {
			list = append(list, *v.finding)
		}
	}
	return list
}

// unknownType refuses a type in another case, which SQLite reads and never writes. Such a table would be
// passed over with its rows.
func unknownType(o *object) *Finding {
	return &Finding{
		Level:  Blocked,
		Reason: ReasonTextChanges,
		Object: o.Name,
		Detail: fmt.Sprintf("sqlite_schema says that it is a %.40q, and SQLite writes table, index, view or trigger", o.Type),
		WayOut: "correct its type in sqlite_schema with PRAGMA writable_schema, or create the object again",
	}
}

// oldDescending refuses a key that says DESC in a file of an old schema format, which ignores that. A Durable
// Object does not, and its rows would come in another order.
func (f *File) oldDescending(t *Table) *Finding {
	if t.Kind != WithoutRowidTable || f.head.u32(schemaFormatAt) >= descendingFormat {
		return nil
	}
	at := slices.IndexFunc(f.objects, func(o object) bool { return o.Type == "table" && o.Name == t.Name })
	if at < 0 || !slices.ContainsFunc(sqltext.All(f.objects[at].SQL), func(token sqltext.Token) bool { return token.IsWord("DESC") }) {
		return nil
	}
	return &Finding{
		Level:  Fixable,
		Reason: ReasonSchemaFormat,
		Object: t.Name,
		Detail: fmt.Sprintf("its key says DESC, which schema format %d ignores and a Durable Object does not", f.head.u32(schemaFormatAt)),
		WayOut: "VACUUM, which writes the file in schema format 4",
	}
}

// internalTexts are the CREATE texts of SQLite's own tables that travel.
var internalTexts = map[string]string{
	sequenceTable: "CREATE TABLE sqlite_sequence(name,seq)",
	stat1Table:    "CREATE TABLE sqlite_stat1(tbl,idx,stat)",
}

// statistics are the tables of ANALYZE, which makes them again.
var statistics = regexp.MustCompile(`(?i)^sqlite_stat[0-9]$`)

// checkInternal judges SQLite's own tables: sqlite_sequence and sqlite_stat1 travel, sqlite_stat4 and its
// forerunners do not, and what merely has such a name may hold anything.
func checkInternal(o *object) []Finding {
	if o.Type != "table" {
		return nil
	}
	if own, travels := internalTexts[o.Name]; travels {
		if o.SQL == own {
			return nil
		}
		return []Finding{
			{
				Level:  Blocked,
				Reason: ReasonDamaged,
				Object: o.Name,
				Detail: fmt.Sprintf("its CREATE text is %.80q and not SQLite's own", o.SQL),
				WayOut: wayOutDamaged,
			},
		}
	}
	if !statistics.MatchString(o.Name) {
		return []Finding{{Level: Blocked, Reason: ReasonReservedName, Object: o.Name,
			Detail: "SQLite keeps names that begin with sqlite_ for itself",
			WayOut: "copy its rows into a table of another name, then take it out of the schema with PRAGMA writable_schema"}}
	}
	return []Finding{
		{
			Level:  Fixable,
			Reason: ReasonStatistics,
			Object: o.Name,
			Detail: "a Durable Object cannot hold these statistics of ANALYZE",
			WayOut: "DROP TABLE " + strings.ToLower(o.Name) + "; ANALYZE makes them again after a rollback",
		},
	}
}

// What a Durable Object's queries over a table have room for. A key is compared up to three times, each with
// a parameter for each column, and 100 is the most.
const mostKeyColumns = 33

// queryBytes is how long a query becomes by one column. It is named once, and then by a short name; where a
// result has no room for the short ones, it is named seven times.
func queryBytes(name string, short bool) int64 {
	quoted := int64(len(sqltext.Quote(name)))
	if short {
		return quoted + 600
	}
	return 7*quoted + 320
}

// unreadable says why a Durable Object could make the table, and not read its rows back exactly; nil where it
// can.
func unreadable(t *Table, limits wire.Limits) *Finding {
	length := int64(len(sqltext.Quote(t.Name)))
	for _, name := range t.Cells {
		length += queryBytes(name, len(t.Cells) <= limits.Columns)
	}
	finding := &Finding{Level: Blocked, Object: t.Name}
	switch {
	case len(t.Key) > mostKeyColumns:
		finding.Reason = ReasonTooManyColumns
		finding.Detail = fmt.Sprintf(
			"a PRIMARY KEY of %d columns, and rows are read by %d at most",
			len(t.Key),
			mostKeyColumns,
		)
		finding.WayOut = "give the table a shorter PRIMARY KEY, or leave WITHOUT ROWID out"
	case len(t.Columns) <= limits.Columns && length > limits.StatementBytes:
		finding.Reason = ReasonStatementLength
		finding.Detail = fmt.Sprintf(
			"a query over all columns has %d bytes with their names, and a Durable Object takes %d",
			length,
			limits.StatementBytes,
		)
		finding.WayOut = "shorten the names of the columns"
	default:
		return nil
	}
	return finding
}

func hiddenRowid(t *Table) *Finding {
	return &Finding{
		Level:  Blocked,
		Reason: ReasonHiddenRowid,
		Object: t.Name,
		Detail: "columns named rowid, oid and _rowid_ hide the table's rowid",
		WayOut: "rename one of these columns, or declare one of them INTEGER PRIMARY KEY",
	}
}
