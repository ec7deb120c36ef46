package sqlitefile

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Names that SQLite keeps for itself.
const (
	internalPrefix = "sqlite_"
	sequenceTable  = "sqlite_sequence"
	stat1Table     = "sqlite_stat1"
)

// SchemaObject is one row of sqlite_schema.
type SchemaObject struct {
	wire.Object
	info    tableInfo // for tables and views
	root    int64     // page of the table's or index's tree, 0 where there is none
	invalid error     // its name or its text is not valid in the file's encoding
}

// Internal says whether SQLite keeps the name for itself.
func (o *SchemaObject) Internal() bool { return hasPrefixFold(o.Name, internalPrefix) }

// travels says whether the object is one of SQLite's own tables that can be made on the other side.
func (o *SchemaObject) travels() bool {
	return o.Type == "table" && (o.Name == sequenceTable || o.Name == stat1Table)
}

// OfStore says whether the name belongs to a Durable Object itself.
func (o *SchemaObject) OfStore() bool { return isStoreName(o.Name) }

// Shadow says whether the object holds the content of a virtual table.
func (o *SchemaObject) Shadow() bool { return o.Type == "table" && o.info.kind == "shadow" }

// Carried says whether the object stands in the schema message.
func (o *SchemaObject) Carried() bool {
	return o.SQL != "" && !o.Internal() && !o.OfStore() && !o.Shadow()
}

// isStoreName says whether a Durable Object reserves the name: workerd for itself, miniflare for its own
// table.
func isStoreName(name string) bool {
	return hasPrefixFold(name, "_cf_") || name == "__miniflare_do_name"
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// readObjects reads sqlite_schema in its order.
func readObjects(conn *capi.Conn, encoding string) ([]SchemaObject, error) {
	list, err := listTables(conn)
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	var objects []SchemaObject
	err = conn.Query(
		"SELECT type, name, tbl_name, sql, rootpage FROM sqlite_schema ORDER BY rowid",
		nil,
		func(s *capi.Stmt) error {
			o := SchemaObject{}
			for i, field := range []*string{&o.Type, &o.Name, &o.Table, &o.SQL} {
				text, err := decodeText(s.Value(i).Bytes, encoding)
				if err != nil {
					o.invalid, text = err, s.Text(i)
				}
				*field = text
			}
			o.info, o.root = list[o.Name], s.Int(4)
			o.info.module = moduleOf(o.SQL)
			objects = append(objects, o)
			return nil
		},
	)
	if err != nil {
		return nil, fmt.Errorf("read schema: %w", err)
	}
	return objects, nil
}

// decodeText is the text in UTF-8; invalid text is an error.
func decodeText(text []byte, encoding string) (string, error) {
	if encoding != UTF8 {
		converted, err := appendUTF8(nil, text, orderOf(encoding))
		return string(converted), err
	}
	if !utf8.Valid(text) {
		return "", errNotUTF8
	}
	return string(text), nil
}

// Schema returns the schema message (docs/wire-format.md, section 7). Errors have kind Blocked: a name or
// text that is not valid in the file's encoding, or a virtual table that a Durable Object cannot fill.
func (f *File) Schema() (wire.Schema, error) {
	schema := wire.Schema{Header: f.Header(), Objects: []wire.Object{}, Virtual: []wire.Virtual{}}
	for i := range f.objects {
		o := &f.objects[i]
		if finding := o.Undecodable(); finding != nil {
			return wire.Schema{}, refuse("read schema of", f.path, finding)
		}
		if o.Carried() {
			schema.Objects = append(schema.Objects, o.Object)
		}
	}
	for i := range f.virtual {
		v := &f.virtual[i]
		if v.finding != nil {
			return wire.Schema{}, refuse("read schema of", f.path, v.finding)
		}
		if v.load != "" {
			schema.Virtual = append(
				schema.Virtual,
				wire.Virtual{Name: v.name, Load: v.load, Config: v.config},
			)
		}
	}
	return schema, nil
}

// Undecodable is nil for an object with a valid name and text.
func (o *SchemaObject) Undecodable() *Finding {
	if o.invalid == nil {
		return nil
	}
	return &Finding{
		Level:  Blocked,
		Reason: ReasonTextEncoding,
		Object: o.Name,
		Detail: "in its name or CREATE text: " + o.invalid.Error(),
		WayOut: "drop or rename it, or rewrite its CREATE text",
	}
}
