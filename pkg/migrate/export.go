package migrate

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/verify"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// exportPageBytes is about how large an export page is.
const exportPageBytes = 1 << 20

// exportFile builds the user's file from the Durable Object and proves it by the digest.
func (e *Engine) exportFile(ctx context.Context, u userdb.UserID, want wire.DatabaseDigest) (*spool, error) {
	begun := e.now()
	path, err := e.freePath()
	if err != nil {
		return nil, err
	}
	sp := &spool{path: path}
	if err := e.buildAndProve(ctx, u, sp, want); err != nil {
		sp.remove()
		return nil, err
	}
	e.observe(Event{User: u, Stage: StageExport, Bytes: sp.Size, Took: e.now().Sub(begun)})
	return sp, nil
}

// freePath names a scratch file that does not exist yet.
func (e *Engine) freePath() (string, error) {
	f, err := os.CreateTemp(e.TempDir, "dbmigrate-*.sqlite")
	if err != nil {
		return "", fmt.Errorf("create export file: %w", err)
	}
	return f.Name(), errors.Join(f.Close(), os.Remove(f.Name()))
}

func (e *Engine) buildAndProve(ctx context.Context, u userdb.UserID, sp *spool, want wire.DatabaseDigest) error {
	if err := e.build(ctx, u, sp.path, want.Tables); err != nil {
		return err
	}
	if err := sp.describeExport(e.Layout.Key(u)); err != nil {
		return err
	}
	got, err := e.digestFile(ctx, sp)
	if err != nil {
		return err
	}
	if got.Database != want.Database {
		return &userdb.Error{Op: "compare the export of", Thing: string(u), Kind: userdb.Mismatch,
			Err:  errors.New(verify.Summary(verify.Databases(want, got))),
			Hint: "the Durable Object keeps everything; `dbmigrate migrate` takes it into service again"}
	}
	return nil
}

// build writes the Durable Object's content into a new SQLite file; tables are those that hold rows, as the Durable Object itself names them.
func (e *Engine) build(ctx context.Context, u userdb.UserID, path string, tables []wire.TableDigest) error {
	exported, err := e.Stores.ExportSchema(ctx, u)
	if err != nil {
		return err
	}
	b, err := sqlitefile.Create(path, exported.Schema)
	if err != nil {
		return err
	}
	for _, table := range tables {
		if table.Rows == 0 {
			continue
		}
		if err := e.exportTable(ctx, u, b, table.Name, exported.Writes); err != nil {
			return errors.Join(err, b.Abort())
		}
	}
	return b.Finish(ctx)
}

// exportTable fetches one page while the page before is inserted.
func (e *Engine) exportTable(ctx context.Context, u userdb.UserID, b *sqlitefile.Builder, table string, writes int64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for p := range e.exportPages(ctx, u, table) {
		if p.err != nil {
			return p.err
		}
		if p.Writes != writes {
			return &userdb.Error{Op: "export", Thing: string(u), Kind: userdb.Conflict, Err: errors.New("the Durable Object was written to while it was read")}
		}
		into, err := b.Into(table, p.Columns)
		if err != nil {
			return err
		}
		if err := p.Each(into.Add); err != nil {
			return err
		}
	}
	return ctx.Err()
}

type exportedPage struct {
	*wire.ExportPage
	err error
}

func (e *Engine) exportPages(ctx context.Context, u userdb.UserID, table string) <-chan exportedPage {
	pages := make(chan exportedPage, 1)
	go func() {
		defer close(pages)
		var after wire.Key
		for {
			page, err := e.Stores.ExportRows(ctx, u, wire.ExportRequest{Table: table, After: after, MaxBytes: exportPageBytes})
			select {
			case pages <- exportedPage{page, err}:
			case <-ctx.Done():
				return
			}
			if err != nil || page.Done {
				return
			}
			after = page.Last
		}
	}()
	return pages
}
