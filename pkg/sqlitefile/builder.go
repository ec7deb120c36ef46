package sqlitefile

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/sqltext"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Builder builds a SQLite file from a schema and rows: the way back from a Durable Object. Nothing fires and
// nothing is enforced while rows arrive: triggers do not exist yet, foreign keys and CHECKs are off. The file
// has no journal, so a Builder that is not finished leaves nothing usable: Abort removes it.
type Builder struct {
	path      string
	schema    wire.Schema
	conn      *capi.Conn
	text      capi.Encoding
	inserters map[string]*Inserter
	anyOrder  bool // rows come from a file of another encoding, with keys in another order
	done      bool // the file stands, and Abort leaves it alone
}

// stagedSequence takes rows for sqlite_sequence until the end, because SQLite changes that table while others
// are filled. It is a temporary table, which SQLite finds before a user's own of that name: an index or
// trigger of that one would become temporary too. So it gets a name that no object has (freeName).
const stagedSequence = "dbmigrate_staged_sequence"

// Create makes the file at path, which must not exist, with all tables of the schema, empty.
// Errors: kind Blocked with a *Finding for a schema that SQLite refuses; kind Internal for the rest.
func Create(path string, schema wire.Schema) (*Builder, error) {
	b, err := create(path, schema)
	return b, fail("create", path, err)
}

func create(path string, schema wire.Schema) (*Builder, error) {
	text, err := checkBuildable(schema.Header)
	if err != nil {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	b := &Builder{path: path, schema: schema, text: text, inserters: map[string]*Inserter{}}
	if b.conn, err = capi.Open(path, capi.ReadWrite); err != nil {
		return nil, errors.Join(err, os.Remove(path))
	}
	if err := b.begin(); err != nil {
		return nil, errors.Join(err, b.Abort())
	}
	return b, nil
}

// checkBuildable checks what would end up in a PRAGMA.
func checkBuildable(h wire.Header) (capi.Encoding, error) {
	encodings := map[string]capi.Encoding{
		UTF8:    capi.UTF8,
		UTF16le: capi.UTF16le,
		UTF16be: capi.UTF16be,
	}
	text, known := encodings[h.Encoding]
	switch {
	case !known:
		return 0, fmt.Errorf("an encoding %.20q, which SQLite does not have", h.Encoding)
	case h.PageSize < 512 || h.PageSize > 65536 || h.PageSize&(h.PageSize-1) != 0:
		return 0, fmt.Errorf("a page size of %d", h.PageSize)
	case h.AutoVacuum < 0 || h.AutoVacuum > 2:
		return 0, fmt.Errorf("an auto_vacuum mode of %d", h.AutoVacuum)
	case !isVersion(h.WriteVersion) || !isVersion(h.ReadVersion):
		return 0, fmt.Errorf("format versions %d and %d", h.WriteVersion, h.ReadVersion)
	}
	return text, nil
}

func isVersion(v int) bool { return v == 1 || v == walVersion }

// begin sets what must be set before the first table, and makes the tables.
func (b *Builder) begin() error {
	if err := b.conn.KeepModules(storeModules...); err != nil {
		return err
	}
	h := b.schema.Header
	err := b.execAll(
		fmt.Sprintf("PRAGMA page_size=%d", h.PageSize),
		fmt.Sprintf("PRAGMA encoding='%s'", h.Encoding),
		fmt.Sprintf("PRAGMA auto_vacuum=%d", h.AutoVacuum),
		"PRAGMA journal_mode=OFF",
		"PRAGMA synchronous=OFF",
		"PRAGMA locking_mode=EXCLUSIVE",
		"CREATE TEMP TABLE "+b.staged()+"(name, seq)",
		"BEGIN",
	)
	if err != nil {
		return err
	}
	if err := b.createObjects("table"); err != nil {
		return err
	}
	if err := b.refuseStored(); err != nil {
		return err
	}
	if err := b.createInternal(); err != nil {
		return err
	}
	return b.configureFTS5()
}

// refuseStored refuses STORED columns, which the application may have made in the Durable Object since, where
// the file is not in UTF-8: it would hold other values than the object.
func (b *Builder) refuseStored() error {
	if b.text == capi.UTF8 {
		return nil
	}
	var finding *Finding
	err := b.conn.Query(
		"SELECT t.name, c.name FROM pragma_table_list AS t, pragma_table_xinfo(t.name) AS c "+
			"WHERE t.schema = 'main' AND t.type = 'table' AND c.hidden = 3 LIMIT 1",
		nil,
		func(s *capi.Stmt) error {
			t := &Table{Name: s.Text(0), Columns: []Column{{Name: s.Text(1), Generated: GeneratedStored}}}
			finding = RefuseStored(t, b.schema.Header.Encoding)
			return nil
		},
	)
	if err != nil || finding == nil {
		return err
	}
	return refuse("create table", finding.Object, finding)
}

func (b *Builder) execAll(statements ...string) error {
	for _, statement := range statements {
		if err := b.conn.Exec(statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// createObjects makes all objects of a type. The texts come from elsewhere: one that is not a CREATE of its
// type is not executed.
func (b *Builder) createObjects(kind string) error {
	for _, o := range b.schema.Objects {
		if o.Type != kind {
			continue
		}
		err := error(errors.New("its text is not one that makes this " + kind))
		if isCreateOf(o) {
			err = b.conn.Exec(o.SQL)
		}
		if endsCheck(err) { // the text is not to blame
			return err
		}
		if err != nil {
			return refuse("create "+kind, o.Name, refusedCreate(o.Name, err))
		}
	}
	return nil
}

// createInternal makes SQLite's own tables in the ways that SQLite leaves open.
func (b *Builder) createInternal() error {
	has := func(name string) bool { return slices.Contains(b.schema.Header.Internal, name) }
	if has(sequenceTable) {
		helper := sqltext.Quote(b.freeName("dbmigrate_helper"))
		if err := b.execAll("CREATE TABLE "+helper+"(id INTEGER PRIMARY KEY AUTOINCREMENT)", "DROP TABLE "+helper); err != nil {
			return err
		}
	}
	if !has(stat1Table) {
		return nil
	}
	// It makes sqlite_stat4 as well, which no file that was moved can have had.
	return b.execAll("ANALYZE sqlite_schema", "DROP TABLE IF EXISTS sqlite_stat4")
}

// freeName is a name that no object has.
func (b *Builder) freeName(name string) string {
	for slices.ContainsFunc(b.schema.Objects, func(o wire.Object) bool { return strings.EqualFold(o.Name, name) }) {
		name += "_"
	}
	return name
}

// staged is the name of the temporary table for sqlite_sequence.
func (b *Builder) staged() string { return sqltext.Quote(b.freeName(stagedSequence)) }

// configureFTS5 sets FTS5's options before any row arrives, since some shape the index.
func (b *Builder) configureFTS5() error {
	for _, v := range b.schema.Virtual {
		name := sqltext.Quote(v.Name)
		for _, option := range v.Config {
			// Bound as UTF-8: SQLite converts it, and options are ASCII.
			if err := b.conn.Exec("INSERT INTO "+name+"("+name+", rank) VALUES(?, ?)", option[:]...); err != nil {
				return fmt.Errorf("set an option of %s: %w", v.Name, err)
			}
		}
	}
	return nil
}

// Abort closes the Builder and removes the file. After Finish it does nothing.
func (b *Builder) Abort() error {
	if b.done {
		return nil
	}
	b.done = true
	return errors.Join(b.conn.Close(), os.Remove(b.path))
}
