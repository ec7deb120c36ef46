package split

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/sqltext"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/verify"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// parts are the files of one split.
type parts struct {
	source, hotWork, coldWork, hot, cold, union string
}

func partsIn(dir, source string) parts {
	base := filepath.Join(dir, filepath.Base(source))
	return parts{
		source:   source,
		hotWork:  base + ".hot-work",
		coldWork: base + ".cold-work",
		hot:      base + ".hot",
		cold:     base + ".cold",
		union:    base + ".union",
	}
}

func (f parts) remove(paths ...string) error {
	var errs []error
	for _, path := range paths {
		if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// WriteParts writes two SQLite files into dir: the database without its cold rows, and the same schema with
// the cold rows alone. Rows of virtual tables are in the hot one; neither carries a mark. Files of an earlier
// run are replaced. The caller removes both.
//
// Both are proven: SQLite's integrity check finds nothing in them, and Union gives from them a database with
// the digest of the source. Errors: those of NewPlan; kind Mismatch when a proof fails; then no file stays.
func (p *Plan) WriteParts(ctx context.Context, dir string) (hotPath, coldPath string, err error) {
	f := partsIn(dir, p.path)
	if err := p.writeParts(ctx, f); err != nil {
		err = errors.Join(err, f.remove(f.hotWork, f.coldWork, f.union, f.hot, f.cold))
		return "", "", fail("split", p.path, err)
	}
	return f.hot, f.cold, nil
}

func (p *Plan) writeParts(ctx context.Context, f parts) error {
	if err := f.remove(f.hot, f.cold); err != nil {
		return err
	}
	shape, err := readShape(ctx, f.source)
	if err != nil {
		return err
	}
	for _, work := range []string{f.hotWork, f.coldWork} {
		if err := copyUnmarked(f.source, work); err != nil {
			return err
		}
	}
	if err := p.divide(ctx, f, shape); err != nil {
		return err
	}
	if err := f.remove(f.hotWork, f.coldWork); err != nil {
		return err
	}
	if err := completeParts(f, shape); err != nil {
		return err
	}
	if err := outnumber(f.source, f.hot); err != nil {
		return err
	}
	if err := prove(ctx, f, p.Reference); err != nil {
		return err
	}
	info, err := os.Stat(f.hot)
	if err == nil {
		p.HotBytes = info.Size()
	}
	return err
}

// divide takes the rows that do not belong out of the two working copies and writes what is left. VACUUM INTO
// keeps every rowid, also of tables that do not show it; VACUUM would renumber those.
func (p *Plan) divide(ctx context.Context, f parts, shape *shape) (err error) {
	conn, err := openWork(f.hotWork, f.coldWork, "cold")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	d, err := decide(ctx, conn, shape, p.policy, p.At)
	if err != nil {
		return err
	}
	defer conn.Watch(ctx)()
	if err := p.agrees(d); err != nil {
		return err
	}
	if err := d.deleteRows(); err != nil {
		return err
	}
	for schema, path := range map[string]string{"main": f.hot, "cold": f.cold} {
		if err := conn.Exec("VACUUM "+schema+" INTO ?", text(path)); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	return nil
}

// agrees checks that the decision is the planned one.
func (p *Plan) agrees(d *decision) error {
	for i, t := range d.shape.tables {
		cold, err := d.coldRows(t)
		if err != nil {
			return err
		}
		if i >= len(p.Tables) || p.Tables[i].Name != t.Name || p.Tables[i].ColdRows != cold {
			return &userdb.Error{
				Op:    "split",
				Thing: "table " + t.Name,
				Kind:  userdb.Internal,
				Err:   fmt.Errorf("%d rows are cold, and the plan had another number", cold),
				Hint:  "does the policy's where depend on the time of day? use :now and :today",
			}
		}
	}
	return nil
}

func (d *decision) deleteRows() error {
	if err := d.conn.Exec("BEGIN"); err != nil {
		return err
	}
	for _, t := range d.shape.tables {
		if err := d.deleteFrom(t); err != nil {
			return fmt.Errorf("divide table %s: %w", t.Name, err)
		}
	}
	if err := d.emptyVirtual(); err != nil {
		return err
	}
	if err := d.lowerSequence(); err != nil {
		return fmt.Errorf("divide sqlite_sequence: %w", err)
	}
	return d.conn.Exec("COMMIT")
}

// deleteFrom leaves the hot rows in main and the cold ones in cold. The cold copy comes first: main still has
// all rows then.
func (d *decision) deleteFrom(t *table) error {
	cold, err := d.coldRows(t)
	if err != nil {
		return err
	}
	coldTable := "cold." + sqltext.Quote(t.Name)
	if t.copied {
		return nil
	}
	if cold == 0 {
		return d.conn.Exec("DELETE FROM " + coldTable)
	}
	if t.Kind != sqlitefile.RowidTable {
		return execAll(
			d.conn,
			"DELETE FROM "+coldTable+" AS c WHERE NOT "+d.isCold(t, "c"),
			"DELETE FROM "+t.main()+" AS c WHERE "+d.isCold(t, "c"),
		)
	}
	rowid := t.keyOf("c")[0]
	if err := d.deleteEach(coldTable, rowid, "SELECT "+rowid+" FROM "+t.main()+" AS c WHERE NOT "+d.isCold(t, "c")); err != nil {
		return err
	}
	return d.deleteEach(t.main(), rowid, "SELECT k0 FROM "+d.sets[t].cold)
}

// lowerSequence leaves the cold copy the AUTOINCREMENT numbers of its own rows, so that it stays the same
// while hot rows are added. The hot copy keeps all of them.
func (d *decision) lowerSequence() error {
	if !d.shape.sequence {
		return nil
	}
	if err := d.conn.Exec("DELETE FROM cold.sqlite_sequence WHERE name NOT IN (SELECT name FROM cold.sqlite_schema WHERE type = 'table')"); err != nil {
		return err
	}
	for _, t := range d.shape.tables {
		if t.copied {
			continue
		}
		cold, err := d.coldRows(t)
		if err != nil {
			return err
		}
		sql := "DELETE FROM cold.sqlite_sequence WHERE name = ?1"
		if cold > 0 && t.Kind == sqlitefile.RowidTable {
			highest := "(SELECT max(k0) FROM " + d.sets[t].cold + ")"
			sql = "UPDATE cold.sqlite_sequence SET seq = " + highest + " WHERE name = ?1 AND typeof(seq) = 'integer' AND seq > " + highest
		}
		if err := d.conn.Exec(sql, text(t.Name)); err != nil {
			return err
		}
	}
	return nil
}

// emptyVirtual empties the virtual tables of the cold copy. The ordinary tables of that copy hold only cold
// rows already.
func (d *decision) emptyVirtual() error {
	// A full-text table is emptied fastest by its content.
	if err := d.conn.Configure(sqlite3.SQLITE_DBCONFIG_DEFENSIVE, false); err != nil {
		return err
	}
	for _, v := range d.shape.schema.Virtual {
		name := sqltext.Quote(v.Name)
		statements := []string{"DELETE FROM cold." + name}
		if isFTS5(d.shape.textOf(v.Name)) {
			statements = []string{"INSERT INTO cold." + name + "(" + name + ") VALUES('rebuild')"}
			if v.Load == wire.LoadRows {
				statements = append(
					[]string{"DELETE FROM cold." + sqltext.Quote(v.Name+"_content")},
					statements...)
			}
		}
		if err := execAll(d.conn, statements...); err != nil {
			return fmt.Errorf("empty virtual table %s: %w", v.Name, err)
		}
	}
	return nil
}

func isFTS5(sql string) bool {
	tokens := sqltext.All(sql)
	for i := 0; i+1 < len(tokens); i++ {
		if tokens[i].IsWord("using") {
			return sqltext.Fold(tokens[i+1].Unquote()) == "fts5"
		}
	}
	return false
}

// completeParts gives the files that VACUUM INTO wrote what it loses: a sqlite_sequence that no table needs
// any more, and the versions.
func completeParts(f parts, s *shape) error {
	if s.sequence {
		if err := restoreSequence(f.hot, f.source, s); err != nil {
			return fmt.Errorf("restore sqlite_sequence: %w", err)
		}
	}
	return errors.Join(s.mark.write(f.hot), s.mark.write(f.cold))
}

func restoreSequence(path, source string, s *shape) (err error) {
	conn, err := capi.Open(path, capi.ReadWrite)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	there, err := number(conn, "SELECT count(*) FROM sqlite_schema WHERE name = 'sqlite_sequence'")
	if err != nil || there > 0 {
		return err
	}
	if err := execAll(conn, "PRAGMA journal_mode=OFF", "PRAGMA synchronous=OFF"); err != nil {
		return err
	}
	if err := makeSequence(conn, s); err != nil {
		return err
	}
	insert, err := conn.Prepare("INSERT INTO sqlite_sequence(rowid, name, seq) VALUES(?, ?, ?)")
	if err != nil {
		return err
	}
	defer insert.Close()
	from, err := capi.Open(source, capi.Immutable)
	if err != nil {
		return err
	}
	defer from.Close()
	row := make([]wire.Value, 3)
	return from.Query("SELECT rowid, name, seq FROM sqlite_sequence", nil, func(q *capi.Stmt) error {
		q.Row(row)
		if err := insert.Bind(row, encodings[s.schema.Header.Encoding]); err != nil {
			return err
		}
		return insert.Run()
	})
}

// prove checks both parts, joins them and compares the whole with the source.
func prove(ctx context.Context, f parts, reference []string) error {
	for _, part := range []string{f.hot, f.cold} {
		if err := checkIntegrity(ctx, part, userdb.Mismatch); err != nil {
			// What is wrong with the source is not the split's fault.
			return cmp.Or(checkIntegrity(ctx, f.source, userdb.Damaged), err)
		}
	}
	if _, err := union(ctx, "", f.hot, f.cold, f.union, reference); err != nil {
		return err
	}
	want, err := digestOf(ctx, f.source)
	if err != nil {
		return err
	}
	if err := proveCopies(ctx, f, want, reference); err != nil {
		return err
	}
	got, err := digestOf(ctx, f.union)
	if err != nil {
		return err
	}
	if found := differences(ctx, f, want, got); len(found) > 0 {
		return &userdb.Error{
			Op:    "prove the split of",
			Thing: f.source,
			Kind:  userdb.Mismatch,
			Hint:  hintFaulty,
			Err: fmt.Errorf(
				"the parts together are not the database (left against right): %s",
				verify.SummaryOf(found),
			),
		}
	}
	return f.remove(f.union)
}

func digestOf(ctx context.Context, path string) (wire.DatabaseDigest, error) {
	f, err := sqlitefile.Open(ctx, path)
	if err != nil {
		return wire.DatabaseDigest{}, err
	}
	digest, err := f.Digest(ctx)
	return digest, errors.Join(err, f.Close())
}

// checkIntegrity finds damage and full-text indexes that are out of step. What else SQLite's check reports is
// the source's own.
func checkIntegrity(ctx context.Context, path string, kind userdb.Kind) error {
	f, err := sqlitefile.Open(ctx, path)
	if err != nil {
		return err
	}
	defer f.Close()
	findings, err := f.CheckIntegrity(ctx)
	if err != nil {
		return err
	}
	for i := range findings {
		if findings[i].Reason == sqlitefile.ReasonDamaged ||
			findings[i].Reason == sqlitefile.ReasonFTS5OutOfStep {
			return &userdb.Error{
				Op:    "check",
				Thing: path,
				Kind:  kind,
				Err:   &findings[i],
				Hint:  findings[i].WayOut,
			}
		}
	}
	return nil
}
