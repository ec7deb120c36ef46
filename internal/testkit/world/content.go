package world

import (
	"context"
	"database/sql"
	"errors"
	"os"

	_ "modernc.org/sqlite" // the driver of applications

	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// content is an object's database: a SQLite file, under construction until finish.
type content struct {
	path    string
	sent    *wire.Schema
	builder *sqlitefile.Builder
	seen    map[int64]bool
}

func newContent(w *World) *content { return &content{path: w.path("object"), seen: map[int64]bool{}} }

func (c *content) remove() {
	if c == nil {
		return
	}
	if c.builder != nil {
		_ = c.builder.Abort() // the file is removed below, whatever becomes of it
	}
	os.Remove(c.path)
}

func (c *content) size() int64 {
	if c == nil {
		return 0
	}
	info, err := os.Stat(c.path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// userVersion is that of the schema that was sent: no application sets another one here.
func (c *content) userVersion() *int32 {
	if c == nil || c.sent == nil {
		return nil
	}
	return &c.sent.Header.UserVersion
}

func (c *content) applied() wire.Applied {
	applied := wire.Applied{Ranges: [][2]int64{}}
	if c == nil {
		return applied
	}
	for seq := range int64(len(c.seen)) {
		if c.seen[seq] {
			applied.Ranges = append(applied.Ranges, [2]int64{seq, seq})
		}
	}
	return applied
}

func (c *content) create(s wire.Schema) error {
	if c.sent != nil {
		return nil // the same message once more
	}
	b, err := sqlitefile.Create(c.path, s)
	if err != nil {
		return refuse(wire.KindSchemaRefused, "%v", err)
	}
	c.sent, c.builder = &s, b
	return nil
}

func (c *content) insert(seq int64, batch []byte) (applied bool, err error) {
	if c.seen[seq] {
		return false, nil
	}
	if c.builder == nil {
		return false, refuse(wire.KindWrongPhase, "no schema, or the import is finished")
	}
	frames, err := wire.ParseBatch(batch, wire.DefaultLimits)
	if err != nil {
		return false, err
	}
	for _, frame := range frames {
		into, err := c.builder.Into(frame.Table, frame.Columns)
		if err == nil {
			err = frame.Decode(into.Add)
		}
		if err != nil {
			return false, refuse(wire.KindRowsRefused, "%v", err)
		}
	}
	c.seen[seq] = true
	return true, nil
}

func (c *content) finish(ctx context.Context, batches int64) error {
	if c.builder == nil {
		if c.sent == nil {
			return refuse(wire.KindWrongPhase, "no schema")
		}
		return nil
	}
	for seq := range batches {
		if !c.seen[seq] {
			return refuse(wire.KindBatchesMissing, "batch %d is missing", seq)
		}
	}
	b := c.builder
	c.builder = nil
	return b.Finish(ctx)
}

func (c *content) open(ctx context.Context) (*sqlitefile.File, error) {
	if c.builder != nil || c.sent == nil {
		return nil, refuse(wire.KindDigestIncomplete, "the import is not finished")
	}
	return sqlitefile.Open(ctx, c.path)
}

func read[T any](ctx context.Context, c *content, use func(*sqlitefile.File) (T, error)) (T, error) {
	f, err := c.open(ctx)
	if err != nil {
		var none T
		return none, err
	}
	v, err := use(f)
	return v, errors.Join(err, f.Close())
}

func (c *content) digest(ctx context.Context) (wire.DatabaseDigest, error) {
	return read(ctx, c, func(f *sqlitefile.File) (wire.DatabaseDigest, error) { return f.Digest(ctx) })
}

func (c *content) schema(ctx context.Context) (wire.Schema, error) {
	return read(ctx, c, (*sqlitefile.File).Schema)
}

func noTable(name string) error {
	return &userdb.Error{Op: "read", Thing: name, Kind: userdb.NotFound, Err: errors.New("no such table")}
}

func (c *content) rangeDigest(ctx context.Context, req wire.RangeRequest) (wire.RangeDigest, error) {
	return read(ctx, c, func(f *sqlitefile.File) (wire.RangeDigest, error) {
		table, ok := f.Table(req.Table)
		if !ok {
			return wire.RangeDigest{}, noTable(req.Table)
		}
		return f.RangeDigest(ctx, table, sqlitefile.Range{After: req.After, Upto: req.Upto, Limit: req.Limit})
	})
}

func (c *content) page(ctx context.Context, req wire.ExportRequest) (*wire.ExportPage, error) {
	return read(ctx, c, func(f *sqlitefile.File) (*wire.ExportPage, error) {
		table, ok := f.Table(req.Table)
		if !ok {
			return nil, noTable(req.Table)
		}
		page := &wire.ExportPage{
			ExportHeader: wire.ExportHeader{Table: req.Table, Columns: table.Cells, Done: true},
		}
		err := f.Rows(ctx, table, req.After, func(row []wire.Value) error {
			if page.Rows > 0 && int64(len(page.Cells)) >= req.MaxBytes {
				page.Done = false
				return sqlitefile.ErrStop
			}
			page.Cells, page.Reals = wire.AppendRow(page.Cells, page.Reals, row)
			page.Rows, page.Last = page.Rows+1, table.KeyOf(row)
			return nil
		})
		return page, err
	})
}

// query runs an application's statements in one transaction on a SQLite file and says whether they changed
// it.
func query(ctx context.Context, path string, run func(*sql.Conn) error) (changed bool, err error) {
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=synchronous(off)&_pragma=journal_mode(memory)")
	if err != nil {
		return false, err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	before, err := totalChanges(ctx, conn)
	if err != nil {
		return false, err
	}
	if err := run(conn); err != nil {
		return false, err
	}
	after, err := totalChanges(ctx, conn)
	return after != before, err
}

func totalChanges(ctx context.Context, conn *sql.Conn) (n int64, err error) {
	err = conn.QueryRowContext(ctx, "SELECT total_changes()").Scan(&n)
	return n, err
}
