package sqlitefile

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/sqltext"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Follows says whether rows that came can be changed again before the file is finished. In a UTF-16 file
// they stand in another form and order.
func (b *Builder) Follows() bool { return b.text == capi.UTF8 }

// Again is the Inserter of a table for which rows came, or nil.
func (b *Builder) Again(table string) *Inserter { return b.inserters[table] }

// Empty deletes all rows of a table that came so far.
func (b *Builder) Empty(table string) error {
	target := "main." + sqltext.Quote(table)
	if table == sequenceTable {
		target = "temp." + b.staged()
	}
	if err := b.conn.Exec("DELETE FROM " + target); err != nil {
		return fmt.Errorf("empty table %s: %w", table, err)
	}
	return nil
}

// Remove deletes the row with this key, if it came.
func (in *Inserter) Remove(key wire.Key) error {
	if len(key) != len(in.table.Key) || in.table.Name == sequenceTable {
		return &userdb.Error{Op: "delete from table", Thing: in.table.Name, Kind: userdb.ProtocolError,
			Err: fmt.Errorf("a key of %d values, and the table has %d", len(key), len(in.table.Key))}
	}
	if in.remove == nil {
		terms := make([]string, len(key))
		for i := range key {
			terms[i] = in.table.keyTerm(i, "=", i+1)
		}
		stmt, err := in.builder.conn.Prepare(
			"DELETE FROM main." + sqltext.Quote(in.table.Name) + " WHERE " + strings.Join(terms, " AND "))
		if err != nil {
			return err
		}
		in.remove = stmt
	}
	if err := in.remove.Bind(key, capi.UTF8); err != nil {
		return err
	}
	return in.remove.Run()
}

// Put inserts a row that comes in any order, and that no census counts.
func (in *Inserter) Put(row []wire.Value) error {
	if err := in.insertRow(row); err != nil {
		return err
	}
	clear(in.values)
	return nil
}

// RemoveRow deletes the row with the key of this one.
func (in *Inserter) RemoveRow(row []wire.Value) error {
	key := make(wire.Key, 0, len(in.table.Key))
	for _, cell := range in.keyCells() {
		key = append(key, row[cell.Cell])
	}
	return in.Remove(key)
}

// RangeDigest is the digest of a range of the rows that came, as a Durable Object answers it.
func (in *Inserter) RangeDigest(r Range) (wire.RangeDigest, error) {
	hasher := wire.NewRangeHasher()
	conn := in.builder.conn
	table := in.table
	s := scan{conn: conn, table: &table, r: r, row: make([]wire.Value, len(table.Cells))}
	s.yield = func(row []wire.Value) error {
		hasher.Add(row)
		return nil
	}
	if err := s.run(); err != nil && !errors.Is(err, ErrStop) {
		return wire.RangeDigest{}, readError(conn, &table, err)
	}
	rows, digest := hasher.Sum()
	return wire.RangeDigest{Rows: rows, Digest: hex.EncodeToString(digest[:])}, nil
}
