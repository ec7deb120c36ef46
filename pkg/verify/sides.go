package verify

import (
	"context"
	"errors"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Stores is what of a Durable Object's client the row comparison needs.
type Stores interface {
	Range(ctx context.Context, u userdb.UserID, req wire.RangeRequest) (wire.RangeDigest, error)
	ExportRows(ctx context.Context, u userdb.UserID, req wire.ExportRequest) (*wire.ExportPage, error)
}

// The rows at the end of a search are few and small, or many, or large: export pages begin small and double.
const (
	firstLeafBytes = 4 << 10
	leafBytes      = 256 << 10
)

// StoreSide is the Durable Object of a user as a Side.
func StoreSide(stores Stores, u userdb.UserID) Side { return storeSide{stores, u} }

type storeSide struct {
	stores Stores
	user   userdb.UserID
}

func (s storeSide) Range(ctx context.Context, req wire.RangeRequest) (wire.RangeDigest, error) {
	return s.stores.Range(ctx, s.user, req)
}

// Rows asks how many rows the range has and then reads so many, a stride at a time: an export page has no
// upper end, and only SQLite can compare keys.
func (s storeSide) Rows(
	ctx context.Context,
	table string,
	after, upto wire.Key,
	yield func(row []wire.Value) error,
) error {
	for {
		count, err := s.Range(ctx, wire.RangeRequest{Table: table, After: after, Upto: upto, Limit: stride})
		if err != nil {
			return err
		}
		if err := s.first(ctx, table, after, count.Rows, yield); err != nil {
			return err
		}
		if count.Rows < stride && !count.More {
			return nil
		}
		after = count.Last
	}
}

// ImportingSide is StoreSide for a Durable Object that imports: it exports nothing yet. width is how many
// values a row has.
func ImportingSide(stores Stores, u userdb.UserID, width int) Side {
	return importingSide{storeSide{stores, u}, width}
}

type importingSide struct {
	storeSide
	width int
}

// Rows asks for the rows of small ranges, and for one row where even these are too long for an answer.
func (s importingSide) Rows(
	ctx context.Context,
	table string,
	after, upto wire.Key,
	yield func(row []wire.Value) error,
) error {
	for limit := int64(leafRows); ; {
		r, err := s.Range(
			ctx,
			wire.RangeRequest{Table: table, After: after, Upto: upto, Limit: limit, Content: true},
		)
		if err != nil {
			return err
		}
		if r.Rows > 0 && r.Cells == nil {
			if limit == 1 {
				return errors.New("the Worker does not show the rows of an import: it is an older one")
			}
			limit = 1
			continue
		}
		if _, err := wire.DecodeRows(r.Cells, r.Reals, s.width, yield); err != nil {
			return err
		}
		if r.Rows < limit && !r.More {
			return nil
		}
		after = r.Last
	}
}

// first reads n rows behind after.
func (s storeSide) first(
	ctx context.Context,
	table string,
	after wire.Key,
	n int64,
	yield func(row []wire.Value) error,
) error {
	for size := int64(firstLeafBytes); n > 0; size = min(2*size, leafBytes) {
		page, err := s.stores.ExportRows(
			ctx,
			s.user,
			wire.ExportRequest{Table: table, After: after, MaxBytes: size},
		)
		if err != nil {
			return err
		}
		if err := yieldSome(page, &n, yield); err != nil {
			return err
		}
		if page.Done {
			return nil
		}
		after = page.Last
	}
	return nil
}

// yieldSome hands on at most left rows of the page, and counts left down.
func yieldSome(page *wire.ExportPage, left *int64, yield func(row []wire.Value) error) error {
	return page.Each(func(row []wire.Value) error {
		if *left == 0 {
			return nil
		}
		*left--
		return yield(row)
	})
}
