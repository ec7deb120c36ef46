package preflight

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/sqltext"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// checkSchema checks all that can be known without reading the rows of ordinary tables: header, names,
// lengths, what SQLite with a Durable Object's limits refuses, and the indexes of FTS5 tables over external
// content.
func checkSchema(ctx context.Context, f *sqlitefile.File, limits wire.Limits) ([]sqlitefile.Finding, error) {
	schema, err := checkSchemaAlone(ctx, f, limits)
	if err != nil {
		return nil, err
	}
	indexes, err := f.CheckExternalIndexes(ctx)
	return append(schema, indexes...), err
}

// checkSchemaAlone is checkSchema without what needs other pages than the schema's.
func checkSchemaAlone(ctx context.Context, f *sqlitefile.File, limits wire.Limits) ([]sqlitefile.Finding, error) {
	list := checkHeader(f, limits)
	var sound []wire.Object
	for i := range f.Objects() {
		o := &f.Objects()[i]
		problems := checkObject(f, o, limits)
		list = append(list, problems...)
		if len(problems) == 0 && o.Carried() {
			sound = append(sound, o.Object)
		}
	}
	for i := range f.Tables() {
		list = append(list, checkTable(f, &f.Tables()[i], limits)...)
	}
	if finding := schemaTooBig(sound, limits); finding != nil {
		return append(list, *finding), nil // what is too large to be kept is too large to be tried
	}
	refused, err := f.TrySchema(ctx, sound)
	return append(list, refused...), err
}

// checkTable looks at one table by its columns.
func checkTable(f *sqlitefile.File, t *sqlitefile.Table, limits wire.Limits) []sqlitefile.Finding {
	rows := unreadable(t, limits)
	if t.Hidden {
		rows = sqlitefile.HiddenRowid(t)
	}
	var list []sqlitefile.Finding
	for _, finding := range []*sqlitefile.Finding{rows, sqlitefile.RefuseStored(t, f.Encoding()), oldDescending(f, t)} {
		if finding != nil {
			list = append(list, *finding)
		}
	}
	return list
}

// schemaTooBig adds up what a Durable Object reads of its schema as one value, to know whether it has
// changed.
func schemaTooBig(objects []wire.Object, limits wire.Limits) *sqlitefile.Finding {
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
	return &sqlitefile.Finding{
		Level:  sqlitefile.Blocked,
		Reason: sqlitefile.ReasonSchemaTooBig,
		Object: largest.Name,
		WayOut: "shorten the CREATE texts, this one first, or drop what is not used",
		Detail: fmt.Sprintf(
			"the CREATE texts have %d bytes together, and a Durable Object holds %d in one value",
			size,
			limits.CellBytes,
		),
	}
}

func checkHeader(f *sqlitefile.File, limits wire.Limits) []sqlitefile.Finding {
	var list []sqlitefile.Finding
	if f.WALMode() {
		list = append(
			list,
			sqlitefile.Finding{
				Level:  sqlitefile.Warning,
				Reason: sqlitefile.ReasonWALMode,
				Detail: "the file is in write-ahead-log mode: writes in a -wal file that was not uploaded are not in it",
				WayOut: "checkpoint, or close the database, before each upload",
			},
		)
	}
	if used := f.UsedBytes(); used > limits.DatabaseBytes {
		list = append(
			list,
			sqlitefile.Finding{
				Level:  sqlitefile.Blocked,
				Reason: sqlitefile.ReasonDatabaseTooBig,
				Detail: fmt.Sprintf("%d bytes, and a Durable Object holds %d", used, limits.DatabaseBytes),
				WayOut: "move large values to R2, or split the database",
			},
		)
	}
	return list
}

// checkObject looks at one object of the schema by itself.
func checkObject(f *sqlitefile.File, o *sqlitefile.SchemaObject, limits wire.Limits) []sqlitefile.Finding {
	var list []sqlitefile.Finding
	if finding := o.Undecodable(); finding != nil {
		list = append(list, *finding)
	}
	if !sqlitefile.IsSchemaType(o.Type) {
		return append(list, *unknownType(o))
	}
	if o.OfStore() {
		list = append(
			list,
			sqlitefile.Finding{
				Level:  sqlitefile.Blocked,
				Reason: sqlitefile.ReasonReservedName,
				Object: o.Name,
				Detail: "Durable Objects keep this name for themselves",
				WayOut: "rename it",
			},
		)
	}
	if o.Internal() {
		return append(list, checkInternal(o)...)
	}
	if !o.Shadow() && int64(len(o.SQL)) > limits.StatementBytes {
		list = append(
			list,
			sqlitefile.Finding{
				Level:  sqlitefile.Blocked,
				Reason: sqlitefile.ReasonStatementLength,
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
	if finding := f.VirtualFinding(o.Name); finding != nil && o.Type == "table" {
		list = append(list, *finding)
	}
	return list
}

// unknownType refuses a type in another case, which SQLite reads and never writes. Such a table would be
// passed over with its rows.
func unknownType(o *sqlitefile.SchemaObject) *sqlitefile.Finding {
	return &sqlitefile.Finding{
		Level:  sqlitefile.Blocked,
		Reason: sqlitefile.ReasonTextChanges,
		Object: o.Name,
		Detail: fmt.Sprintf("sqlite_schema says that it is a %.40q, and SQLite writes table, index, view or trigger", o.Type),
		WayOut: "correct its type in sqlite_schema with PRAGMA writable_schema, or create the object again",
	}
}

// oldDescending refuses a key that says DESC in a file of an old schema format, which ignores that. A Durable
// Object does not, and its rows would come in another order.
func oldDescending(f *sqlitefile.File, t *sqlitefile.Table) *sqlitefile.Finding {
	if t.Kind != sqlitefile.WithoutRowidTable || f.SchemaFormat() >= sqlitefile.DescendingFormat {
		return nil
	}
	at := slices.IndexFunc(f.Objects(), func(o sqlitefile.SchemaObject) bool { return o.Type == "table" && o.Name == t.Name })
	if at < 0 || !slices.ContainsFunc(sqltext.All(f.Objects()[at].SQL), func(token sqltext.Token) bool { return token.IsWord("DESC") }) {
		return nil
	}
	return &sqlitefile.Finding{
		Level:  sqlitefile.Fixable,
		Reason: sqlitefile.ReasonSchemaFormat,
		Object: t.Name,
		Detail: fmt.Sprintf("its key says DESC, which schema format %d ignores and a Durable Object does not", f.SchemaFormat()),
		WayOut: "VACUUM, which writes the file in schema format 4",
	}
}

// internalTexts are the CREATE texts of SQLite's own tables that travel.
var internalTexts = map[string]string{
	"sqlite_sequence": "CREATE TABLE sqlite_sequence(name,seq)",
	"sqlite_stat1":    "CREATE TABLE sqlite_stat1(tbl,idx,stat)",
}

// statistics are the tables of ANALYZE, which makes them again.
var statistics = regexp.MustCompile(`(?i)^sqlite_stat[0-9]$`)

// checkInternal judges SQLite's own tables: sqlite_sequence and sqlite_stat1 travel, sqlite_stat4 and its
// forerunners do not, and what merely has such a name may hold anything.
func checkInternal(o *sqlitefile.SchemaObject) []sqlitefile.Finding {
	if o.Type != "table" {
		return nil
	}
	if own, travels := internalTexts[o.Name]; travels {
		if o.SQL == own {
			return nil
		}
		return []sqlitefile.Finding{
			{
				Level:  sqlitefile.Blocked,
				Reason: sqlitefile.ReasonDamaged,
				Object: o.Name,
				Detail: fmt.Sprintf("its CREATE text is %.80q and not SQLite's own", o.SQL),
				WayOut: sqlitefile.WayOutDamaged,
			},
		}
	}
	if !statistics.MatchString(o.Name) {
		return []sqlitefile.Finding{{Level: sqlitefile.Blocked, Reason: sqlitefile.ReasonReservedName, Object: o.Name,
			Detail: "SQLite keeps names that begin with sqlite_ for itself",
			WayOut: "copy its rows into a table of another name, then take it out of the schema with PRAGMA writable_schema"}}
	}
	return []sqlitefile.Finding{
		{
			Level:  sqlitefile.Fixable,
			Reason: sqlitefile.ReasonStatistics,
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
func unreadable(t *sqlitefile.Table, limits wire.Limits) *sqlitefile.Finding {
	length := int64(len(sqltext.Quote(t.Name)))
	for _, name := range t.Cells {
		length += queryBytes(name, len(t.Cells) <= limits.Columns)
	}
	finding := &sqlitefile.Finding{Level: sqlitefile.Blocked, Object: t.Name}
	switch {
	case len(t.Key) > mostKeyColumns:
		finding.Reason = sqlitefile.ReasonTooManyColumns
		finding.Detail = fmt.Sprintf(
			"a PRIMARY KEY of %d columns, and rows are read by %d at most",
			len(t.Key),
			mostKeyColumns,
		)
		finding.WayOut = "give the table a shorter PRIMARY KEY, or leave WITHOUT ROWID out"
	case len(t.Columns) <= limits.Columns && length > limits.StatementBytes:
		finding.Reason = sqlitefile.ReasonStatementLength
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
