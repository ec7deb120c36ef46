package sqlitefile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// File is an open database file. It is read only; see CheckExternalIndexes for the one exception.
type File struct {
	path    string
	head    *header
	conn    *capi.Conn // reads the file itself
	objects []SchemaObject
	virtual []virtual
	tables  []Table

	utf8     *capi.Conn // reads the rows: conn, or a copy of a UTF-16 file in UTF-8; opened when rows are first read
	utf8Path string     // of that copy
}

// Open opens the database file at path, which must be a private copy that nobody changes while it is open:
// there are no locks. The file may be in write-ahead-log mode, fenced and stamped; it is read as it is, and a
// -journal or -wal beside it is ignored.
//
// Errors that lie in the file are a *userdb.Error of kind NotSQLite or Damaged with a *Finding in it. The
// caller closes the File. A UTF-16 file needs space for a UTF-8 copy beside path while it is open.
func Open(ctx context.Context, path string) (*File, error) {
	head, err := readHeader(path)
	if err != nil {
		return nil, openError(path, err)
	}
	conn, err := capi.Open(path, capi.Immutable)
	if err != nil {
		return nil, openError(path, err)
	}
	f := &File{path: path, head: head, conn: conn}
	if err := f.load(ctx); err != nil {
		f.Close()
		return nil, openError(path, err)
	}
	return f, nil
}

// load reads the schema and derives the tables.
func (f *File) load(ctx context.Context) error {
	defer f.conn.Watch(ctx)()
	objects, err := readObjects(f.conn, f.head.encoding())
	if err != nil {
		return err
	}
	f.objects = objects
	var last []Table
	for i := range f.objects {
		o := &f.objects[i]
		table, holds, err := f.describe(o)
		switch {
		case err != nil:
			return err
		case !holds:
		case o.Internal():
			last = append(last, table)
		default:
			f.tables = append(f.tables, table)
		}
	}
	// SQLite changes sqlite_sequence while other tables are filled: these come last.
	f.tables = append(f.tables, last...)
	return nil
}

// describe derives the table that o is; false means that o holds no rows that travel.
func (f *File) describe(o *SchemaObject) (Table, bool, error) {
	if o.Type != "table" || o.Shadow() || o.OfStore() || o.Internal() && !o.travels() {
		return Table{}, false, nil
	}
	if o.info.kind == "virtual" {
		v, err := f.describeVirtual(o)
		if err != nil {
			return Table{}, false, err
		}
		f.virtual = append(f.virtual, v)
		if v.load != wire.LoadRows || v.finding != nil {
			return Table{}, false, nil
		}
	}
	table, err := describeTable(f.conn, o.Name, o.info)
	return table, err == nil, err
}

// openError is fail for Open: a schema that SQLite cannot read is damage, whatever code it gives that, unless
// only a SQLite with other limits can read it.
func openError(path string, err error) error {
	if object := malformedObject(err); object != "" {
		if beyond := storeLacks(object, err); beyond != nil {
			return refuse("open", path, beyond)
		}
	}
	if capi.PrimaryCode(err) == sqlite3.SQLITE_ERROR {
		return refuse(
			"open",
			path,
			&Finding{
				Level:  Blocked,
				Reason: ReasonDamaged,
				Object: malformedObject(err),
				Detail: capi.Message(err),
				WayOut: WayOutDamaged,
			},
		)
	}
	return fail("open", path, err)
}

var malformedSchema = regexp.MustCompile(`^malformed database schema \((.*)\) - `)

// malformedObject is the object that SQLite names when it cannot read the schema, "" for none.
func malformedObject(err error) string {
	if m := malformedSchema.FindStringSubmatch(capi.Message(err)); m != nil {
		return m[1]
	}
	return ""
}

// Header returns what a Durable Object cannot hold in its own header; versions are those without any fence.
func (f *File) Header() wire.Header {
	internal := []string{}
	for i := range f.objects {
		if o := &f.objects[i]; o.travels() {
			internal = append(internal, o.Name)
		}
	}
	return f.head.message(internal)
}

// Mark returns the fence or stamp in the file's header.
func (f *File) Mark() userdb.Mark { return f.head.mark }

// Objects returns the rows of sqlite_schema in their order. The caller does not change them.
func (f *File) Objects() []SchemaObject { return f.objects }

// Tables returns the tables with rows that travel, in the order in which to load them. The caller does not
// change them.
func (f *File) Tables() []Table { return f.tables }

// Table returns the table of that name, with ok false when there is none with rows that travel.
func (f *File) Table(name string) (t *Table, ok bool) {
	for i := range f.tables {
		if f.tables[i].Name == name {
			return &f.tables[i], true
		}
	}
	return nil, false
}

// Close closes the file and removes what Open made beside it.
func (f *File) Close() error {
	var errs []error
	if f.utf8 != nil && f.utf8 != f.conn {
		errs = append(errs, f.utf8.Close())
	}
	if f.utf8Path != "" {
		errs = append(errs, os.Remove(f.utf8Path))
	}
	errs = append(errs, f.conn.Close())
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("close %s: %w", f.path, err)
	}
	return nil
}
