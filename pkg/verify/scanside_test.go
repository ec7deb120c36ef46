package verify

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Scan reads all rows of a table in key order; an error of yield ends it and is returned.
type Scan func(ctx context.Context, table string, yield func(row []wire.Value) error) error

// ScanSide makes a left Side of a reader that can only read a table from its beginning. It compares no keys,
// so it knows only those that it returned itself.
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
