package sqlitefile

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/sqltext"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// storeModules are the virtual table modules of a Durable Object (tried against workerd).
var storeModules = []string{"fts5", "fts5vocab", "rtree", "rtree_i32"}

// virtual is one virtual table and how its content travels.
type virtual struct {
	name    string
	module  string
	load    string // wire.LoadRows, wire.LoadRebuild, or "" for one that holds nothing (fts5vocab) or cannot be moved
	config  [][2]wire.Value
	finding *Finding // why it cannot be moved
}

// VirtualFinding says why the virtual table of that name cannot be moved; nil where it can, or there is none.
func (f *File) VirtualFinding(name string) *Finding {
	for i := range f.virtual {
		if f.virtual[i].name == name {
			return f.virtual[i].finding
		}
	}
	return nil
}

func (f *File) describeVirtual(o *SchemaObject) (virtual, error) {
	v := virtual{name: o.Name, module: o.info.module}
	switch o.info.module {
	case "rtree", "rtree_i32":
		v.load = wire.LoadRows
		return v, nil
	case "fts5vocab":
		return v, nil
	case "fts5":
		return f.describeFTS5(v, o.SQL)
	}
	v.finding = &Finding{
		Level:  Blocked,
		Reason: ReasonModule,
		Object: o.Name,
		Detail: fmt.Sprintf(
			"virtual table module %s, and a Durable Object has only %s",
			o.info.module,
			strings.Join(storeModules, ", "),
		),
		WayOut: "drop the table and build what it serves with FTS5, rtree or ordinary tables",
	}
	return v, nil
}

// describeFTS5 asks FTS5 itself what kind of content the table has, by making the same table in memory.
func (f *File) describeFTS5(v virtual, sql string) (virtual, error) {
	conn, err := capi.Open("", capi.Memory)
	if err != nil {
		return v, err
	}
	defer conn.Close()
	if err := conn.Exec(sql); err != nil {
		v.finding = refusedCreate(v.name, err)
		return v, nil
	}
	if v.finding, err = f.namedLikeShadow(conn, v.name); err != nil || v.finding != nil {
		return v, err
	}
	name := sqltext.Quote(v.name)
	rebuild := conn.Exec("INSERT INTO " + name + "(" + name + ") VALUES('rebuild')")
	switch {
	case rebuild != nil && strings.Contains(rebuild.Error(), "contentless"):
		v.finding = &Finding{
			Level:  Blocked,
			Reason: ReasonContentless,
			Object: v.name,
			Detail: "a contentless FTS5 table: its text is not stored, so the index cannot be rebuilt",
			WayOut: "make it an FTS5 table with its own or external content",
		}
		return v, nil
	case rebuild == nil && f.hasShadow(v.name+"_content"):
		v.load = wire.LoadRows
	default:
		v.load = wire.LoadRebuild // the rebuild failed for want of the content table, which is not in memory
	}
	if v.finding, err = f.localeFinding(v.name); err != nil {
		return v, err
	}
	v.config, err = f.readConfig(v.name)
	return v, err
}

// namedLikeShadow finds a table of the user's that SQLite takes for a part of the FTS5 table, by its name
// alone; made is a database with the parts that the FTS5 table really has. (A table x_content is one when the
// content of x lies elsewhere, even if it lies in x_content.) A Durable Object would let nobody write it.
func (f *File) namedLikeShadow(made *capi.Conn, name string) (*Finding, error) {
	parts, err := listTables(made)
	if err != nil {
		return nil, err
	}
	for i := range f.objects {
		o := &f.objects[i]
		underscore := strings.LastIndexByte(o.Name, '_')
		if !o.Shadow() || underscore < 0 || sqltext.Fold(o.Name[:underscore]) != sqltext.Fold(name) {
			continue
		}
		if _, real := parts[name+strings.ToLower(o.Name[underscore:])]; !real {
			return &Finding{
				Level:  Blocked,
				Reason: ReasonShadowName,
				Object: o.Name,
				WayOut: "rename the table, and recreate the full-text table",
				Detail: fmt.Sprintf(
					"by its name SQLite takes it for a part of the FTS5 table %s, and a Durable Object lets nobody write such a part",
					name,
				),
			}, nil
		}
	}
	return nil, nil
}

func (f *File) hasShadow(name string) bool {
	for i := range f.objects {
		if o := &f.objects[i]; o.Type == "table" && sqltext.Fold(o.Name) == sqltext.Fold(name) {
			return true
		}
	}
	return false
}

var localeColumn = regexp.MustCompile(`^l[0-9]+$`)

// localeFinding refuses FTS5's locale=1 with own content: the locales lie in columns of the shadow table that
// no SELECT shows.
func (f *File) localeFinding(name string) (*Finding, error) {
	if !f.hasShadow(name + "_content") {
		return nil, nil
	}
	columns, err := readColumns(f.conn, name+"_content", false)
	if err != nil {
		return nil, err
	}
	for _, c := range columns {
		if localeColumn.MatchString(c.Name) {
			return &Finding{
				Level:  Blocked,
				Reason: ReasonFTS5Locale,
				Object: name,
				Detail: "an FTS5 table with locale=1: its locales cannot be read back",
				WayOut: "recreate it without locale=1",
			}, nil
		}
	}
	return nil, nil
}

// readConfig reads the options that were set on an FTS5 table. The version is FTS5's own affair.
func (f *File) readConfig(name string) ([][2]wire.Value, error) {
	var config [][2]wire.Value
	sql := "SELECT k, v FROM " + sqltext.Quote(name+"_config") + " WHERE k <> 'version' ORDER BY k"
	err := f.conn.Query(sql, nil, func(s *capi.Stmt) error {
		pair := [2]wire.Value{}
		for i := range pair {
			v, err := f.ownValue(s.Value(i))
			if err != nil {
				return err
			}
			pair[i] = v
		}
		config = append(config, pair)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read options of %s: %w", name, err)
	}
	return config, nil
}

// ownValue copies a value that was read from the file, its text in UTF-8.
func (f *File) ownValue(v wire.Value) (wire.Value, error) {
	if v.Class == wire.Text && f.head.encoding() != UTF8 {
		converted, err := appendUTF8(nil, v.Bytes, orderOf(f.head.encoding()))
		v.Bytes = converted
		return v, err
	}
	v.Bytes = append([]byte(nil), v.Bytes...)
	return v, nil
}
