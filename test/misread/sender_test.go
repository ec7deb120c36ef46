package misread

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// sent is one frame of the items table, decoded.
type sent struct {
	frame wire.ParsedFrame
	rows  [][]wire.Value
}

// senders damage what lies between the reader and the wire, where neither tally nor census of the file looks.
var senders = map[string]func(pages []sent) []sent{
	"swapped rows":  func(p []sent) []sent { p[1].rows[0], p[1].rows[1] = p[1].rows[1], p[1].rows[0]; return p },
	"swapped pages": func(p []sent) []sent { p[0].rows, p[1].rows = p[1].rows, p[0].rows; return p },
	"repeated page": func(p []sent) []sent { return slices.Insert(p, 1, p[0]) },
	"skipped page":  func(p []sent) []sent { return slices.Delete(p, 1, 2) },
	"overlap": func(p []sent) []sent {
		last := len(p[0].rows) - 1
		p[1].rows, p[1].frame.From = slices.Concat(p[0].rows[last:], p[1].rows), p[1].frame.From-1
		return p
	},
}

// damagedSender changes the first batch that has several pages of one table.
type damagedSender struct {
	migrate.Stores
	*testing.T
	change func([]sent) []sent
	used   bool
}

func (d *damagedSender) Rows(
	ctx context.Context,
	u userdb.UserID,
	g userdb.Claim,
	seq int64,
	body []byte,
) (wire.RowsAnswer, error) {
	if seq == 0 {
		body = d.damage(body)
	}
	return d.Stores.Rows(ctx, u, g, seq, body)
}

func (d *damagedSender) damage(body []byte) []byte {
	frames, err := wire.ParseBatch(body, wire.DefaultLimits)
	if err != nil || len(frames) < 2 {
		d.Fatalf("a batch of %d frames: %v", len(frames), err)
	}
	var pages []sent
	for _, f := range frames {
		page := sent{frame: f}
		err := f.Decode(func(row []wire.Value) error {
			page.rows = append(page.rows, wire.Key(row).Clone())
			return nil
		})
		if err != nil {
			d.Fatal(err)
		}
		pages = append(pages, page)
	}
	d.used = true
	out := wire.NewBatch(nil)
	for _, page := range d.change(pages) {
		for i, row := range page.rows {
			out.AppendRow(page.frame.Table, page.frame.Columns, page.frame.From+int64(i), row)
		}
	}
	return out.Bytes()
}

const longSchema = `CREATE TABLE items(n INTEGER PRIMARY KEY, name TEXT, price REAL);
WITH RECURSIVE q(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM q WHERE i < 700)
INSERT INTO items SELECT i, printf('%05000d', i), i / 3.0 FROM q;
CREATE TABLE keyed(n INT, name TEXT, price REAL, PRIMARY KEY(n)) WITHOUT ROWID;
INSERT INTO keyed SELECT * FROM items;`

// TestADamagedSenderIsRefused: the receiver of rows finds pages that are swapped, repeated, left out or
// overlap, says so by name, and the user stays on the file, as it was.
func TestADamagedSenderIsRefused(t *testing.T) {
	type damage struct{ kind, how string }
	var all []damage
	for _, how := range slices.Sorted(maps.Keys(senders)) {
		for _, kind := range slices.Sorted(maps.Keys(tables)) {
			all = append(all, damage{kind, how})
		}
	}
	for _, d := range effort.Some(t, "damaged senders", all, 2) {
		path := makeDatabase(t, longSchema, tables[d.kind])
		t.Run(d.kind+" "+d.how, func(t *testing.T) { refusesSender(t, d.kind+" "+d.how, path, senders[d.how]) })
	}
}

func refusesSender(t *testing.T, name, path string, change func([]sent) []sent) {
	u := newUser(t, strings.ReplaceAll("sender "+name, " ", "-"))
	u.upload(path)
	before, err := u.engine.Files.Head(t.Context(), u.engine.Layout.Key(u.id))
	if err != nil {
		t.Fatal(err)
	}
	healthy := u.engine.Stores
	damaged := &damagedSender{Stores: healthy, T: t, change: change}
	u.engine.Stores = damaged
	r := u.run(result.ActionMigrate, u.engine.Migrate)
	if userdb.KindOf(r.Err()) != userdb.Mismatch || !damaged.used ||
		!strings.Contains(r.Err().Error(), "table items: row") {
		t.Errorf("it ended as %s: %v", r.Outcome, r.Err())
	}
	t.Log(r.Err())
	after, err := u.engine.Files.Head(t.Context(), u.engine.Layout.Key(u.id))
	if err != nil || after.ETag != before.ETag {
		t.Errorf("the file was %s and is %s: %v", before.ETag, after.ETag, err)
	}
	u.engine.Stores = healthy
	u.must(u.run(result.ActionMigrate, u.engine.Migrate), result.OutcomeMigrated)
}
