package sqlitefile

import (
	"context"
	"encoding/hex"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Digest computes the digest of the whole database (docs/wire-format.md, section 6). An engine that reads the
// rows anyway feeds each table's rows to a wire.TableHasher itself and joins them with wire.DatabaseDigestOf.
func (f *File) Digest(ctx context.Context) (wire.DatabaseDigest, error) {
	schema, err := f.Schema()
	if err != nil {
		return wire.DatabaseDigest{}, err
	}
	var tables []wire.TableDigest
	hasher := wire.NewTableHasher()
	for i := range f.tables {
		t := &f.tables[i]
		tally := t.Tally()
		err := f.Rows(ctx, t, nil, func(row []wire.Value) error {
			hasher.Add(row)
			return t.Count(tally, row)
		})
		if err != nil {
			return wire.DatabaseDigest{}, err
		}
		rows, digest := hasher.Sum()
		table := wire.NewTableDigest(t.Name, rows, digest)
		if table.Census, err = f.DemandCensus(ctx, t, tally); err != nil {
			return wire.DatabaseDigest{}, err
		}
		tables = append(tables, table)
	}
	return wire.DatabaseDigestOf(wire.SchemaDigest(schema), tables), nil
}

// RangeDigest computes the digest of a range of one table's rows, as a Durable Object answers it; Writes and
// Phase stay empty.
func (f *File) RangeDigest(ctx context.Context, t *Table, r Range) (wire.RangeDigest, error) {
	hasher := wire.NewRangeHasher()
	var last wire.Key
	err := f.RowsIn(ctx, t, r, func(row []wire.Value) error {
		hasher.Add(row)
		last = t.keyInto(last, row)
		return nil
	})
	if err != nil {
		return wire.RangeDigest{}, err
	}
	rows, digest := hasher.Sum()
	return wire.RangeDigest{Rows: rows, Digest: hex.EncodeToString(digest[:]), Last: last}, nil
}

// keyInto is KeyOf that uses the memory of an earlier key again.
func (t *Table) keyInto(key wire.Key, row []wire.Value) wire.Key {
	if key == nil {
		key = make(wire.Key, len(t.Key))
	}
	for i, k := range t.Key {
		bytes := append(key[i].Bytes[:0], row[k.Cell].Bytes...)
		key[i] = row[k.Cell]
		key[i].Bytes = bytes
	}
	return key
}
