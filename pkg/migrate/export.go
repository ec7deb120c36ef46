package migrate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/inspect"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/verify"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// exportPageBytes is about how large an export page is.
const exportPageBytes = 1 << 20

// pagesInMemory are one that is inserted and one that arrives. Their memory is used again for every page of
// the user.
const pagesInMemory = 2

// exportFile builds the user's file from the Durable Object and proves it by the digest.
func (e *Engine) exportFile(
	ctx context.Context,
	u userdb.UserID,
	want wire.DatabaseDigest,
) (*userfile.Copy, error) {
	begun := e.now()
	path, err := e.source().NewPath()
	if err != nil {
		return nil, err
	}
	sp := &userfile.Copy{Path: path}
	if err := e.buildAndProve(ctx, u, sp, want); err != nil {
		sp.Remove()
		return nil, err
	}
	e.observe(result.Event{User: u, Stage: result.StageExport, Bytes: sp.Size, Took: e.now().Sub(begun)})
	return sp, nil
}

func (e *Engine) buildAndProve(
	ctx context.Context,
	u userdb.UserID,
	sp *userfile.Copy,
	want wire.DatabaseDigest,
) error {
	c := inspect.Comparison{
		Op:       "compare the export of",
		What:     "the built file",
		Against:  inspect.TheObject,
		Store:    want,
		Hint:     hintExport,
		Probably: "the Durable Object was read wrongly, or something wrote into it past its own code meanwhile",
	}
	var err error
	if c.Lines, err = e.build(ctx, u, sp, want.Tables); err != nil {
		return err
	}
	if err = sp.Describe(e.Layout.Key(u)); err != nil {
		return err
	}
	got, err := sp.Digest(ctx)
	if err != nil {
		return err
	}
	c.Path, c.Found = sp.Path, verify.Databases(got, want)
	if len(c.Found) > 0 || len(c.Lines) > 0 {
		return c.Err(ctx, e.Stores, u)
	}
	return nil
}

// build writes the Durable Object's content into a new SQLite file; tables are those that hold rows, as the
// Durable Object itself names them. It names those that came otherwise than the Durable Object
// counted them.
func (e *Engine) build(
	ctx context.Context,
	u userdb.UserID,
	sp *userfile.Copy,
	tables []wire.TableDigest,
) (wrong []string, err error) {
	exported, err := e.Stores.ExportSchema(ctx, u)
	if err != nil {
		return nil, err
	}
	// No rollback fails because nothing can be said here.
	sp.Warnings, _ = sqlitefile.Unusable(ctx, exported.Schema.Objects)
	b, err := sqlitefile.Create(sp.Path, exported.Schema)
	if err != nil {
		return nil, err
	}
	x := &exporter{
		Engine:  e,
		user:    u,
		into:    b,
		writes:  exported.Writes,
		buffers: make(chan []byte, pagesInMemory),
	}
	for range pagesInMemory {
		x.buffers <- nil // a page's own length says how much it needs
	}
	for _, table := range tables {
		if table.Rows == 0 {
			continue
		}
		if err := x.table(ctx, table.Name); err != nil {
			return nil, errors.Join(err, b.Abort())
		}
		if difference := notReceived(table, b.Received(table.Name)); difference != "" {
			wrong = append(wrong, difference)
		}
	}
	x.release()
	info, err := os.Stat(sp.Path)
	if err != nil {
		return nil, errors.Join(err, b.Abort())
	}
	return wrong, finishWithin(ctx, u, b, finishTime(info.Size()))
}

// finishTime is how long the indexes of a built file may take, and its check. The user's writes wait for it.
func finishTime(bytes int64) time.Duration {
	return time.Minute + time.Duration(bytes>>20)*2*time.Second
}

var errFinishTooLong = errors.New("its indexes and its check take too long")

// finishWithin ends what the Durable Object's schema may make endless, such as a full-text index over a view
// without end.
func finishWithin(ctx context.Context, u userdb.UserID, b *sqlitefile.Builder, most time.Duration) error {
	bounded, cancel := context.WithTimeoutCause(ctx, most, errFinishTooLong)
	defer cancel()
	err := b.Finish(bounded)
	if err == nil || context.Cause(bounded) != errFinishTooLong {
		return err
	}
	return &userdb.Error{
		Op:    "build the file of",
		Thing: string(u),
		Kind:  userdb.TooCostly,
		Err:   fmt.Errorf("%w: more than %s", errFinishTooLong, most),
		Hint:  "look for indexes and full-text tables in the Durable Object that compute a lot, and drop them",
	}
}

// notReceived holds what came of a table against what the Durable Object counted in it; "" where they are the
// same.
func notReceived(table wire.TableDigest, received wire.Census) string {
	difference := table.Census.Difference(received)
	if received.Rows != table.Rows {
		difference = fmt.Sprintf("%d against %d rows", table.Rows, received.Rows)
	}
	if difference == "" {
		return ""
	}
	return fmt.Sprintf(
		"%s: the Durable Object counted something else than what came: %s",
		verify.TableName(table.Name),
		difference,
	)
}

const hintExport = "the Durable Object keeps everything; `dbmigrate migrate` takes it into service again"

// exporter reads a Durable Object's tables, page by page, into a file.
type exporter struct {
	*Engine
	user    userdb.UserID
	into    *sqlitefile.Builder
	writes  int64       // of the Durable Object when its schema was read
	buffers chan []byte // the memory of pages that nobody reads
}

// table fetches one page while the page before is inserted.
func (x *exporter) table(ctx context.Context, table string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for p := range x.pages(ctx, table) {
		if p.err != nil {
			return p.err
		}
		if p.Writes != x.writes {
			return &userdb.Error{
				Op:    "export",
				Thing: string(x.user),
				Kind:  userdb.Conflict,
				Err:   errors.New("the Durable Object was written to while it was read"),
			}
		}
		into, err := x.into.Into(table, p.Columns)
		if err != nil {
			return err
		}
		if err := p.Each(into.Add); err != nil {
			return err
		}
		if p.Rows > 0 {
			if err := into.EndPage(p.Last); err != nil {
				return err
			}
		}
		x.buffers <- p.Body
	}
	return ctx.Err()
}

// release gives the pages' memory back to the system, because what comes next needs memory that is not Go's:
// SQLite sorts for indexes, and checks the file. Small databases are spared the garbage collection.
func (x *exporter) release() {
	held := 0
	for range pagesInMemory {
		held += cap(<-x.buffers)
	}
	if held >= pagesInMemory*exportPageBytes {
		debug.FreeOSMemory()
	}
}

type exportedPage struct {
	*wire.ExportPage
	err error
}

func (x *exporter) pages(ctx context.Context, table string) <-chan exportedPage {
	pages := make(chan exportedPage)
	go func() {
		defer close(pages)
		req := wire.ExportRequest{Table: table, MaxBytes: exportPageBytes}
		for {
			select {
			case req.Buffer = <-x.buffers:
			case <-ctx.Done():
				return
			}
			page, err := x.Stores.ExportRows(ctx, x.user, req)
			select {
			case pages <- exportedPage{page, err}:
			case <-ctx.Done():
				return
			}
			if err != nil || page.Done {
				return
			}
			req.After = page.Last
		}
	}()
	return pages
}
