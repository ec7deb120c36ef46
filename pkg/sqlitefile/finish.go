package sqlitefile

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/sqltext"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Finish makes indexes, views, triggers and full-text indexes, sets what the header carries, closes the file,
// and proves it: SQLite's integrity check finds nothing, and the schema reads back as it was given. When it
// fails the file is removed.
//
// Errors: kind Blocked with a *Finding for an object that SQLite refuses (a UNIQUE index over equal rows, for
// example), kind Damaged for a check that fails, kind Interrupted when ctx ends.
func (b *Builder) Finish(ctx context.Context) error {
	if b.done {
		return &userdb.Error{
			Op:    "finish",
			Thing: b.path,
			Kind:  userdb.Internal,
			Err:   errors.New("it is finished or aborted already"),
		}
	}
	if err := b.finish(ctx); err != nil {
		return fail("finish", b.path, errors.Join(err, b.Abort()))
	}
	return nil
}

func (b *Builder) finish(ctx context.Context) error {
	if err := b.complete(ctx); err != nil {
		return err
	}
	if err := b.conn.Close(); err != nil {
		return err
	}
	if err := patchVersions(b.path, byte(b.schema.Header.WriteVersion), byte(b.schema.Header.ReadVersion)); err != nil {
		return err
	}
	if err := b.prove(ctx); err != nil {
		return err
	}
	b.done = true
	return nil
}

// complete makes everything but the tables. Views come before triggers, for INSTEAD OF; and before full-text
// indexes, since their content may be a view.
func (b *Builder) complete(ctx context.Context) error {
	defer b.conn.Watch(ctx)()
	for _, in := range b.inserters {
		in.close()
	}
	b.inserters = nil
	if err := b.createIndexes(); err != nil {
		return err
	}
	for _, kind := range createOrder[2:] {
		if err := b.createObjects(kind); err != nil {
			return err
		}
	}
	if err := b.rebuildFTS5(); err != nil {
		return err
	}
	if err := b.fillSequence(); err != nil {
		return err
	}
	if err := b.restoreTexts(); err != nil {
		return err
	}
	return b.execAll(
		fmt.Sprintf("PRAGMA user_version=%d", b.schema.Header.UserVersion),
		fmt.Sprintf("PRAGMA application_id=%d", b.schema.Header.ApplicationID),
		"COMMIT",
	)
}

// A sort for an index takes as much memory as the page cache may have, doubling what it has as it grows, and
// SQLite's allocator here keeps every size that was outgrown. Of a file with pages of 4 KiB, SQLite sorts
// 1000 KiB at once, or more.
const (
	sortCache  = "PRAGMA cache_size=-1000"
	buildCache = "PRAGMA cache_size=-2048"
)

func (b *Builder) createIndexes() error {
	if err := b.execAll(sortCache); err != nil {
		return err
	}
	if err := b.createObjects("index"); err != nil {
		return err
	}
	return b.execAll(buildCache)
}

// rebuildFTS5 builds the indexes over external content, also of tables that an application made in its
// Durable Object and that the message therefore does not list.
func (b *Builder) rebuildFTS5() error {
	tables, err := listTables(b.conn)
	if err != nil {
		return err
	}
	for _, o := range b.schema.Objects {
		_, ownContent := tables[o.Name+"_content"]
		if moduleOf(o.SQL) != "fts5" || ownContent {
			continue
		}
		name := sqltext.Quote(o.Name)
		err := b.conn.Exec("INSERT INTO " + name + "(" + name + ") VALUES('rebuild')")
		if capi.IsInterrupt(err) {
			return err
		}
		if err != nil {
			return refuse(
				"build the full-text index",
				o.Name,
				&Finding{Level: Blocked, Reason: ReasonSchemaRefused, Object: o.Name, Detail: capi.Message(err),
					WayOut: "drop the table in the Durable Object"},
			)
		}
	}
	return nil
}

func (b *Builder) fillSequence() error {
	list, err := listTables(b.conn)
	if err != nil {
		return err
	}
	if _, found := list[sequenceTable]; !found {
		return nil
	}
	return b.execAll(
		"DELETE FROM "+sequenceTable,
		"INSERT INTO main."+sequenceTable+"(rowid, name, seq) SELECT rowid, name, seq FROM temp."+b.staged()+" ORDER BY rowid",
	)
}

// restoreTexts puts back CREATE texts that SQLite stores in another form than they were given. SQLite does
// this to texts that it did not write itself.
func (b *Builder) restoreTexts() error {
	var changed []wire.Object
	for _, o := range b.schema.Objects {
		stored, err := storedText(b.conn, o)
		if err != nil {
			return err
		}
		if stored != o.SQL {
			changed = append(changed, o)
		}
	}
	if len(changed) == 0 {
		return nil
	}
	if err := b.conn.AllowSchemaEdits(); err != nil {
		return err
	}
	for _, o := range changed {
		params := textParams(o.SQL, o.Type, o.Name, o.Table)
		if err := b.conn.Exec("UPDATE sqlite_schema SET sql = ? WHERE type = ? AND name = ? AND tbl_name = ?", params...); err != nil {
			return fmt.Errorf("restore the text of %s %s: %w", o.Type, o.Name, err)
		}
	}
	return b.conn.Exec("PRAGMA writable_schema=OFF")
}

// unproven are findings of the integrity check that no finished file may have: it is damaged, or the check
// did not come to its end.
var unproven = []Reason{ReasonDamaged, ReasonFTS5OutOfStep, ReasonTooCostly}

// prove reads the finished file as a stranger would.
func (b *Builder) prove(ctx context.Context) error {
	f, err := Open(ctx, b.path)
	if err != nil {
		return err
	}
	defer f.Close()
	damage, err := f.CheckIntegrity(ctx)
	if err != nil {
		return err
	}
	for i := range damage {
		if slices.Contains(unproven, damage[i].Reason) {
			return refuse("check the finished file", b.path, &damage[i])
		}
	}
	built, err := f.Schema()
	if err != nil {
		return err
	}
	if wire.SchemaDigest(built) != wire.SchemaDigest(b.schema) {
		return &userdb.Error{
			Op:    "check the finished file",
			Thing: b.path,
			Kind:  userdb.Damaged,
			Err:   errors.New("its schema is not the one that was given"),
		}
	}
	return nil
}
