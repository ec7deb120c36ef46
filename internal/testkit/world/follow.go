package world

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// followedWrites is what the Worker says of its log. This object forgets no write.
const followedWrites = 4000

// seenRows are the rows of an object at one moment, by table and key.
type seenRows map[string]map[string]seenRow

type seenRow struct {
	key          wire.Key
	cells, reals []byte
}

// Follow answers with some rows and what changed since the answer before, as the Worker does. It compares
// the rows of then and now.
func (o *Objects) Follow(ctx context.Context, u userdb.UserID, req wire.FollowRequest) (*wire.Followed, error) {
	return with(o, u, func(o *object) (*wire.Followed, error) {
		if _, err := o.demandPhase(Export); err != nil {
			return nil, err
		}
		out := &wire.Followed{
			Phase: o.state.Phase, Gen: o.state.Gen, Lin: o.state.Lin, Writes: o.writes, Revision: int64(o.state.Lin),
			Began: req.Since == nil, Virtual: req.Virtual, Log: followedWrites,
		}
		now, columns, err := o.content.rowsNow(ctx)
		if err != nil {
			return nil, err
		}
		before := o.followed[o.writes]
		if req.Since != nil {
			before = o.followed[*req.Since]
		}
		schema, err := o.content.schema(ctx)
		if err != nil {
			return nil, err
		}
		if req.Since == nil || req.Whole != nil {
			out.Schema = &wire.ExportSchema{Schema: schema, Writes: o.writes, Phase: o.state.Phase}
		}
		switch {
		case req.Since == nil:
			for table := range columns {
				out.Tables = append(out.Tables, table)
			}
			slices.Sort(out.Tables)
		case before == nil:
			out.Lost = true
			return out, nil
		default:
			out.Changes = o.changes(before, now, columns)
			if err := o.unnamed(ctx, req, schema, out); err != nil {
				return nil, err
			}
		}
		if o.followed == nil {
			o.followed = map[int64]seenRows{}
		}
		o.followed[o.writes] = now
		return out, o.asked(ctx, req, out)
	})
}

// unnamed leaves SQLite's own tables and the virtual ones to who asks for them whole.
func (o *object) unnamed(ctx context.Context, req wire.FollowRequest, schema wire.Schema, out *wire.Followed) error {
	if !req.Virtual {
		return nil
	}
	out.Changes = slices.DeleteFunc(out.Changes, func(c wire.FollowedChange) bool {
		return strings.HasPrefix(c.Table, "sqlite_") || slices.Contains(req.Whole, c.Table)
	})
	for i := range out.Changes {
		c := &out.Changes[i]
		if slices.ContainsFunc(schema.Virtual, func(v wire.Virtual) bool { return v.Name == c.Table }) {
			c.Keys, c.Sent, c.Page = nil, false, nil
		}
	}
	for _, table := range req.Whole {
		page, err := o.content.page(ctx, wire.ExportRequest{Table: table, MaxBytes: math.MaxInt64})
		if err != nil {
			return err
		}
		digest, err := o.content.rangeDigest(ctx, wire.RangeRequest{Table: table})
		if err != nil {
			return err
		}
		out.Changes = append(out.Changes, wire.FollowedChange{Table: table, Sent: true, Page: page})
		out.Wholes = append(out.Wholes, &digest)
	}
	return nil
}

func (o *object) asked(ctx context.Context, req wire.FollowRequest, out *wire.Followed) (err error) {
	if req.Read != nil {
		out.HasRead = true
		if out.Read, err = o.content.page(ctx, *req.Read); err != nil {
			return err
		}
	}
	if req.Check != nil {
		d, err := o.content.rangeDigest(ctx, wire.RangeRequest{
			Table: req.Check.Table, After: req.Check.After, Limit: req.Check.Limit})
		out.Check = &d
		return err
	}
	return nil
}

func (o *object) changes(before, now seenRows, columns map[string][]string) []wire.FollowedChange {
	var all []wire.FollowedChange
	for table := range columns {
		change := wire.FollowedChange{Table: table, Sent: true, Keys: []wire.Key{}, Page: &wire.ExportPage{
			ExportHeader: wire.ExportHeader{Table: table, Columns: columns[table], Done: true},
		}}
		if strings.HasPrefix(table, "sqlite_") { // it comes whole
			change.Keys = nil
			for _, row := range now[table] {
				change.Page.Cells, change.Page.Reals = append(change.Page.Cells, row.cells...), append(change.Page.Reals, row.reals...)
				change.Page.Rows, change.Page.Last = change.Page.Rows+1, row.key
			}
			all = append(all, change)
			continue
		}
		for name, row := range now[table] {
			old, there := before[table][name]
			if there && bytes.Equal(old.cells, row.cells) && bytes.Equal(old.reals, row.reals) {
				continue
			}
			p := change.Page
			p.Cells, p.Reals = append(p.Cells, row.cells...), append(p.Reals, row.reals...)
			p.Rows, p.Last = p.Rows+1, row.key
			change.Keys = append(change.Keys, row.key)
		}
		for name, row := range before[table] {
			if _, there := now[table][name]; !there {
				change.Keys = append(change.Keys, row.key)
			}
		}
		if len(change.Keys) > 0 {
			all = append(all, change)
		}
	}
	return all
}

func (c *content) rowsNow(ctx context.Context) (seenRows, map[string][]string, error) {
	rows, columns := seenRows{}, map[string][]string{}
	_, err := read(ctx, c, func(f *sqlitefile.File) (struct{}, error) {
		var all error
		for i := range f.Tables() {
			t := &f.Tables()[i]
			rows[t.Name], columns[t.Name] = map[string]seenRow{}, t.Cells
			all = errors.Join(all, f.Rows(ctx, t, nil, func(row []wire.Value) error {
				seen := seenRow{key: t.KeyOf(row)}
				seen.cells, seen.reals = wire.AppendRow(nil, nil, row)
				name, err := json.Marshal(seen.key)
				rows[t.Name][string(name)] = seen
				return err
			}))
		}
		return struct{}{}, all
	})
	return rows, columns, err
}
