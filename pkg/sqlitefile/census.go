package sqlitefile

import (
	"context"
	"fmt"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// DemandCensus holds how many rows a reader saw in the whole of t against a plain count, which shares no keys, order or ranges with
// Rows. A reader that skips rows does so in the copy and in its digest alike, so their agreement alone proves nothing.
func (f *File) DemandCensus(ctx context.Context, t *Table, read int64) error {
	conn, err := f.rowConn(ctx)
	if err != nil {
		return fail("count rows of", t.Name, err)
	}
	defer conn.Watch(ctx)()
	counted := int64(-1)
	err = conn.Query("SELECT count(*) FROM "+quoteName(t.Name)+" NOT INDEXED", nil, func(s *capi.Stmt) error {
		counted = s.Int(0)
		return nil
	})
	if err != nil {
		return fail("count rows of", t.Name, err)
	}
	if counted == read {
		return nil
	}
	return &userdb.Error{Op: "count rows of", Thing: t.Name, Kind: userdb.Mismatch,
		Err:  fmt.Errorf("the table has %d rows, and %d were read", counted, read),
		Hint: "dbmigrate read this table wrongly; nothing was switched. Please report the table's CREATE text"}
}
