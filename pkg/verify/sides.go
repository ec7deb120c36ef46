package verify

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

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

// Scan reads all rows of a table in key order; an error of yield ends it and is returned.
type Scan func(ctx context.Context, table string, yield func(row []wire.Value) error) error

// ScanSide makes a left Side of a reader that can only read a table from its beginning, such as a file's.
// Every question reads the table up to its answer: fine for a local file. It compares no keys, so it knows
// only those that it returned itself.
func ScanSide(t Table, scan Scan) Side { return scanSide{t, scan} }

type scanSide struct {
	table Table
	scan  Scan
}

// errRangeEnd ends a scan at the end of its range.
var errRangeEnd = errors.New("end of the range")

func (s scanSide) Range(ctx context.Context, req wire.RangeRequest) (wire.RangeDigest, error) {
	h := wire.NewRangeHasher()
	var out wire.RangeDigest
	err := s.Rows(ctx, req.Table, req.After, req.Upto, func(row []wire.Value) error {
		h.Add(row)
		out.Rows++
		out.Last = s.table.key(row).Clone()
		if out.Rows == req.Limit {
			return errRangeEnd
		}
		return nil
	})
	if err != nil && !errors.Is(err, errRangeEnd) {
		return wire.RangeDigest{}, err
	}
	_, digest := h.Sum()
	out.Digest = hex.EncodeToString(digest[:])
	return out, nil
}

func (s scanSide) Rows(
	ctx context.Context,
	table string,
	after, upto wire.Key,
	yield func(row []wire.Value) error,
) error {
	inside, ended := after == nil, false
	err := s.scan(ctx, table, func(row []wire.Value) error {
		if !inside {
			inside = equalKeys(s.table, row, after)
			return nil
		}
		ended = upto != nil && equalKeys(s.table, row, upto)
		if err := yield(row); err != nil {
			return err
		}
		if ended {
			return errRangeEnd
		}
		return nil
	})
	if ended && errors.Is(err, errRangeEnd) {
		return nil
	}
	if err == nil && (!inside || upto != nil) {
		return fmt.Errorf(
			"read rows of %s: a key of the range is not in the table any more",
			TableName(table),
		)
	}
	return err
}

func equalKeys(t Table, row []wire.Value, key wire.Key) bool {
	if len(key) != len(t.Key) {
		return false
	}
	for i, at := range t.Key {
		if !row[at].Equal(key[i]) {
			return false
		}
	}
	return true
}
