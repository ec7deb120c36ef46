package sqlitefile

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// CopySuffix is what the name of the UTF-8 copy of a UTF-16 file has more than that file's. A process that is
// killed leaves it.
const CopySuffix = ".utf8"

// transcode copies the rows of a UTF-16 file to a UTF-8 database beside it and reads them from there. Text
// keys come in another order in UTF-16 than in a Durable Object, which is always UTF-8; in the copy SQLite
// itself puts them in the right one. A text that is not valid UTF-16, and any value that the copy would not
// hold exactly, is refused with a *Finding.
func (f *File) transcode(ctx context.Context) error {
	path := f.path + CopySuffix
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("copy to UTF-8: %w", err)
	}
	b, err := f.beginCopy(path)
	if err != nil {
		return err
	}
	copied, err := f.copyRows(ctx, b)
	if err != nil {
		return errors.Join(err, b.Abort())
	}
	if err := b.endCopy(); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	conn, err := capi.Open(path, capi.Immutable)
	if err != nil {
		return errors.Join(fmt.Errorf("copy to UTF-8: %w", err), os.Remove(path))
	}
	if err := f.proveCopy(ctx, conn, copied); err != nil {
		return errors.Join(err, conn.Close(), os.Remove(path))
	}
	f.utf8Path, f.utf8 = path, conn
	return nil
}

// beginCopy makes the tables that hold rows; nothing else of the schema is needed.
func (f *File) beginCopy(path string) (*Builder, error) {
	schema, err := f.Schema()
	if err != nil {
		return nil, err
	}
	holds := map[string]bool{}
	for i := range f.tables {
		holds[f.tables[i].Name] = true
	}
	tables := wire.Schema{Header: schema.Header}
	tables.Header.Encoding = UTF8
	for _, o := range schema.Objects {
		if o.Type == "table" && holds[o.Name] {
			tables.Objects = append(tables.Objects, o)
		}
	}
	return Create(path, tables)
}

// copyRows returns what was copied of each table.
func (f *File) copyRows(ctx context.Context, b *Builder) (copied []content, err error) {
	b.anyOrder = true
	f.conn.Limit(sqlite3.SQLITE_LIMIT_LENGTH, readLengthLimit)
	defer f.conn.Watch(ctx)()
	copied = make([]content, len(f.tables))
	for i := range f.tables {
		t := &f.tables[i]
		if t.Hidden {
			return nil, refuse("read table", t.Name, HiddenRowid(t))
		}
		if err := f.copyTable(b, t, &copied[i]); err != nil {
			return nil, readError(f.conn, t, err)
		}
	}
	return copied, nil
}

func (f *File) copyTable(b *Builder, t *Table, copied *content) error {
	in, err := b.Into(t.Name, t.Cells)
	if err != nil {
		return err
	}
	convert := rowConverter{appendText: appendUTF8, order: orderOf(f.head.encoding())}
	checker := NewRowChecker(t, wire.DefaultLimits)
	s := scan{conn: f.conn, table: t, row: make([]wire.Value, len(t.Cells))}
	s.yield = func(row []wire.Value) error {
		converted, cell, err := convert.convert(row)
		if err != nil {
			return refuse(
				"read table",
				t.Name,
				&Finding{Level: Blocked, Reason: ReasonInvalidText, Object: t.Name, Column: t.Cells[cell],
					Key: formatKey(
						t.KeyOf(row),
					), Count: 1, Detail: err.Error() + ", so it could not come back as it is", WayOut: "correct the text, or store it as a BLOB"},
			)
		}
		checker.Check(converted)
		if err := checker.Err(); err != nil {
			return err
		}
		copied.add(converted)
		return copyError(t, in.Add(converted))
	}
	return s.run()
}

// copyError blames the file for a row that its own schema refuses, such as a second one with the same key.
func copyError(t *Table, err error) error {
	if userdb.KindOf(err) != userdb.Refused {
		return err
	}
	if finding := computedIn(t, err.Error()); finding != nil {
		return refuse("read table", t.Name, finding)
	}
	return refuse(
		"read table",
		t.Name,
		&Finding{
			Level:  Blocked,
			Reason: ReasonDamaged,
			Object: t.Name,
			Detail: err.Error(),
			WayOut: WayOutDamaged,
		},
	)
}

// endCopy closes a file that holds only tables and is never written again.
func (b *Builder) endCopy() error {
	for _, in := range b.inserters {
		in.stmt.Close()
	}
	err := b.fillSequence()
	if err == nil {
		err = b.conn.Exec("COMMIT")
	}
	b.done = true
	return errors.Join(err, b.conn.Close())
}

// content is what a table holds, its rows in any order: their number, and the sum of their hashes.
type content struct {
	rows         int64
	sum          [2]uint64
	cells, reals []byte
}

func (c *content) add(row []wire.Value) {
	c.cells, c.reals = wire.AppendRow(c.cells[:0], c.reals[:0], row)
	hash := sha256.Sum256(append(c.cells, c.reals...))
	for i := range c.sum {
		c.sum[i] += binary.LittleEndian.Uint64(hash[8*i:])
	}
	c.rows++
}

// proveCopy holds the copy against what was copied. Whatever is compared later is compared with the copy:
// what the copy computes in its own way, it would show as if the file had it.
func (f *File) proveCopy(ctx context.Context, conn *capi.Conn, copied []content) error {
	conn.Limit(sqlite3.SQLITE_LIMIT_LENGTH, readLengthLimit)
	defer conn.Watch(ctx)()
	for i := range f.tables {
		t := &f.tables[i]
		var held content
		s := scan{conn: conn, table: t, row: make([]wire.Value, len(t.Cells))}
		s.yield = func(row []wire.Value) error {
			held.add(row)
			return nil
		}
		if err := s.run(); err != nil {
			return readError(conn, t, err)
		}
		if held.rows == copied[i].rows && held.sum == copied[i].sum {
			continue
		}
		return f.copiedWrongly(t, copied[i].rows, held.rows)
	}
	return nil
}

func (f *File) copiedWrongly(t *Table, rows, held int64) error {
	detail := fmt.Sprintf("%d rows of %s are %d rows with other values in UTF-8", rows, f.head.encoding(), held)
	finding := RefuseStored(t, f.head.encoding())
	if finding == nil {
		finding = computedIn(t, detail)
	}
	if finding == nil {
		return readWrongly(t.Name, errors.New(detail))
	}
	return refuse("read table", t.Name, finding)
}
