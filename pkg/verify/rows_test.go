package verify

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// memory is a side that holds a rowid table (cells: rowid, name, score) and counts what it is asked.
type memory struct {
	rows     [][]wire.Value
	ranges   int
	hashed   int
	sent     int
	writes   int64
	moving   bool // every answer finds one more write
	pageRows int
	most     int // rows after which an answer ends because of their bytes; 0: none does
}

func gamesTable() Table {
	return Table{Name: "games", Columns: []string{"rowid", "name", "score"}, Key: []int{0}, Rowid: true}
}

func gamesRow(id int64, name string, score wire.Value) []wire.Value {
	return []wire.Value{wire.IntValue(id), wire.TextValue(name), score}
}

func newMemory(n int) *memory {
	m := &memory{pageRows: 7}
	for i := range n {
		m.rows = append(
			m.rows,
			gamesRow(int64(i+1)*10, fmt.Sprintf("game %d", i), wire.RealValue(float64(i)/4)),
		)
	}
	return m
}

func (m *memory) between(after, upto wire.Key) [][]wire.Value {
	start, end := 0, len(m.rows)
	if after != nil {
		start = sort.Search(len(m.rows), func(i int) bool { return m.rows[i][0].Int > after[0].Int })
	}
	if upto != nil {
		end = sort.Search(len(m.rows), func(i int) bool { return m.rows[i][0].Int > upto[0].Int })
	}
	return m.rows[start:max(start, end)]
}

func (m *memory) Range(_ context.Context, req wire.RangeRequest) (wire.RangeDigest, error) {
	rows := m.between(req.After, req.Upto)
	if req.Limit > 0 && int64(len(rows)) > req.Limit {
		rows = rows[:req.Limit]
	}
	more := m.most > 0 && len(rows) > m.most
	if more {
		rows = rows[:m.most]
	}
	m.ranges++
	m.hashed += len(rows)
	if m.moving {
		m.writes++
	}
	h := wire.NewRangeHasher()
	out := wire.RangeDigest{Rows: int64(len(rows)), Writes: m.writes, More: more}
	for _, row := range rows {
		h.Add(row)
		out.Last = wire.Key{row[0]}
	}
	_, digest := h.Sum()
	out.Digest = hex.EncodeToString(digest[:])
	return out, nil
}

func (m *memory) Rows(
	_ context.Context,
	_ string,
	after, upto wire.Key,
	yield func([]wire.Value) error,
) error {
	for _, row := range m.between(after, upto) {
		m.sent++
		if err := yield(row); err != nil {
			return err
		}
	}
	return nil
}

// scanned hides everything but a scan from the beginning.
func (m *memory) scan(_ context.Context, _ string, yield func([]wire.Value) error) error {
	for _, row := range m.rows {
		if err := yield(row); err != nil {
			return err
		}
	}
	return nil
}

// stored hides the rows behind the client's interface.
type stored struct{ *memory }

func (s stored) Range(ctx context.Context, _ userdb.UserID, req wire.RangeRequest) (wire.RangeDigest, error) {
	return s.memory.Range(ctx, req)
}

func (s stored) ExportRows(
	_ context.Context,
	_ userdb.UserID,
	req wire.ExportRequest,
) (*wire.ExportPage, error) {
	rows := s.between(req.After, nil)
	p := &wire.ExportPage{
		ExportHeader: wire.ExportHeader{
			Table:   req.Table,
			Columns: gamesTable().Columns,
			Done:    len(rows) <= s.pageRows,
		},
	}
	for _, row := range rows[:min(len(rows), s.pageRows)] {
		p.Cells, p.Reals = wire.AppendRow(p.Cells, p.Reals, row)
		p.Rows++
		p.Last = wire.Key{row[0]}
		s.sent++
	}
	return p, nil
}

func (m *memory) remove(i int) { m.rows = slices.Delete(m.rows, i, i+1) }
func (m *memory) insert(i int, row []wire.Value) {
	m.rows = slices.Insert(m.rows, i, row)
}

func TestRows(t *testing.T) {
	cases := []struct {
		name   string
		n      int
		change func(*memory)
		limit  int
		want   []string
	}{
		{"equal", 5000, func(*memory) {}, 10, nil},
		{"both empty", 0, func(*memory) {}, 10, nil},
		{"value", 5000, func(m *memory) { m.rows[3000] = gamesRow(30010, "other", m.rows[3000][2]) }, 10,
			[]string{`table "games" row 30010 column "name": "game 3000" against "other"`}},
		{"type", 5000, func(m *memory) { m.rows[4] = gamesRow(50, "game 4", wire.IntValue(1)) }, 10,
			[]string{`table "games" row 50 column "score": 1.0 against 1`}},
		{"two cells", 100, func(m *memory) { m.rows[4] = gamesRow(50, "x", wire.NullValue()) }, 10,
			[]string{
				`table "games" row 50 column "name": "game 4" against "x"`,
				`table "games" row 50 column "score": 1.0 against NULL`,
			}},
		{
			"the sign of zero",
			100,
			func(m *memory) { m.rows[0] = gamesRow(10, "game 0", wire.RealValue(negativeZero())) },
			10,
			[]string{`table "games" row 10 column "score": 0.0 against -0.0`},
		},
		{
			"missing first",
			5000,
			func(m *memory) { m.remove(0) },
			10,
			[]string{`table "games" row 10 is missing on the right: (10, "game 0", 0.0)`},
		},
		{
			"missing last",
			5000,
			func(m *memory) { m.remove(4999) },
			10,
			[]string{`table "games" row 50000 is missing on the right: (50000, "game 4999", 1249.75)`},
		},
		{
			"extra first",
			5000,
			func(m *memory) { m.insert(0, gamesRow(1, "new", wire.NullValue())) },
			10,
			[]string{`table "games" row 1 is extra on the right: (1, "new", NULL)`},
		},
		{
			"extra inside",
			5000,
			func(m *memory) { m.insert(77, gamesRow(771, "new", wire.NullValue())) },
			10,
			[]string{`table "games" row 771 is extra on the right: (771, "new", NULL)`},
		},
		{
			"extra at the end",
			5000,
			func(m *memory) { m.rows = append(m.rows, gamesRow(99999, "new", wire.NullValue())) },
			10,
			[]string{`table "games" row 99999 is extra on the right: (99999, "new", NULL)`},
		},
		{
			"another rowid",
			5000,
			func(m *memory) { m.rows[77] = gamesRow(775, "game 77", m.rows[77][2]) },
			10,
			[]string{`table "games" row 780 has rowid 780 against 775`},
		},
		{"another rowid far away", 5000, func(m *memory) {
			row := m.rows[77]
			m.remove(77)
			m.rows = append(m.rows, gamesRow(99999, string(row[1].Bytes), row[2]))
		}, 10, []string{`table "games" row 780 has rowid 780 against 99999`}},
		{"across strides", 2*stride + 5, func(m *memory) {
			m.rows[stride-1] = gamesRow(stride*10, "a", wire.NullValue())
			m.remove(2*stride + 1)
		}, 10, []string{
			fmt.Sprintf(`table "games" row %d column "name": "game %d" against "a"`, stride*10, stride-1),
			fmt.Sprintf(
				`table "games" row %d column "score": %.2f against NULL`,
				stride*10,
				float64(stride-1)/4,
			),
			fmt.Sprintf(
				`table "games" row %d is missing on the right: (%d, "game %d", %.2f)`,
				(2*stride+2)*10,
				(2*stride+2)*10,
				2*stride+1,
				float64(2*stride+1)/4,
			)}},
		{"the limit", 5000, func(m *memory) { m.rows = m.rows[:10] }, 2, []string{
			`table "games" row 110 is missing on the right: (110, "game 10", 2.5)`, `table "games" row 120 is missing on the right: (120, "game 11", 2.75)`}},
		{
			"empty left, limit",
			0,
			func(m *memory) { m.rows = newMemory(5000).rows },
			1,
			[]string{`table "games" row 10 is extra on the right: (10, "game 0", 0.0)`},
		},
		{
			"empty right, limit",
			5000,
			func(m *memory) { m.rows = nil },
			1,
			[]string{`table "games" row 10 is missing on the right: (10, "game 0", 0.0)`},
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			left, right := newMemory(c.n), newMemory(c.n)
			c.change(right)
			cut := *right
			cut.most = 100
			sides := map[string][2]Side{
				"direct":   {left, right},
				"adapters": {ScanSide(gamesTable(), left.scan), StoreSide(stored{right}, "ann")},
				"long":     {left, StoreSide(stored{&cut}, "ann")},
			}
			for name, s := range sides {
				got, err := Rows(context.Background(), gamesTable(), s[0], s[1], c.limit)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				var texts []string
				for _, d := range got {
					texts = append(texts, d.String())
				}
				if strings.Join(texts, "\n") != strings.Join(c.want, "\n") {
					t.Errorf(
						"%s: differences are\n%s\nwant\n%s",
						name,
						strings.Join(texts, "\n"),
						strings.Join(c.want, "\n"),
					)
				}
			}
		})
	}
}

func negativeZero() float64 { return math.Copysign(0, -1) }

func TestOneDifferenceInManyTransfersFewRows(t *testing.T) {
	const n = 100_000
	left, right := newMemory(n), newMemory(n)
	right.rows[61_803] = gamesRow(618_040, "game 61803", wire.TextValue("changed"))
	got, err := Rows(context.Background(), gamesTable(), left, right, 100)
	if err != nil || len(got) != 1 || got[0].Kind != Type || got[0].Column != "score" {
		t.Fatalf("found %v, %v", got, err)
	}
	if left.sent > leafRows || right.sent > leafRows {
		t.Errorf("%d and %d rows were transferred", left.sent, right.sent)
	}
	if left.ranges > 40 || right.ranges > 40 || right.hashed > n+3*stride {
		t.Errorf("%d and %d requests, %d rows digested on the right", left.ranges, right.ranges, right.hashed)
	}
}

// More rows lie between two keys of the left side than one request digests.
func TestManyExtraRowsAreAllFound(t *testing.T) {
	left, right := newMemory(stride+10), newMemory(stride+10)
	left.rows = slices.Delete(left.rows, 1, stride+9)
	right.pageRows = 1000
	cut := *right
	cut.most = 100
	for name, side := range map[string]Side{
		"direct":  right,
		"adapter": StoreSide(stored{right}, "ann"),
		"long":    StoreSide(stored{&cut}, "ann"),
	} {
		got, err := Rows(context.Background(), gamesTable(), left, side, 2*stride)
		if err != nil || len(got) != stride+8 {
			t.Errorf("%s: %d differences, %v", name, len(got), err)
		}
	}
}

func TestSameContentTwicePairsOnce(t *testing.T) {
	row := func(id int64) []wire.Value { return gamesRow(id, "same", wire.NullValue()) }
	left, right := &memory{
		rows: [][]wire.Value{row(1), row(2), row(3), row(4)},
	}, &memory{
		rows: [][]wire.Value{row(4), row(5), row(6)},
	}
	got, err := Rows(context.Background(), gamesTable(), left, right, 10)
	var texts []string
	for _, d := range got {
		texts = append(texts, string(d.Kind)+" "+keyText(d.Key)+" "+d.Right)
	}
	if want := "rowid 1 5, rowid 2 6, missing 3 "; err != nil || strings.Join(texts, ", ") != want {
		t.Errorf("differences are %q, %v", texts, err)
	}
}

func TestASideThatMovesIsAConflict(t *testing.T) {
	for _, side := range []string{"left", "right"} {
		left, right := newMemory(5000), newMemory(5000)
		left.moving, right.moving = side == "left", side == "right"
		_, err := Rows(context.Background(), gamesTable(), left, right, 10)
		if userdb.KindOf(err) != userdb.Conflict || !strings.Contains(err.Error(), side) {
			t.Errorf("%s: error is %v", side, err)
		}
	}
}

// broken fails or lies.
type broken struct {
	Side
	err error
	row []wire.Value
}

func (b broken) Range(ctx context.Context, req wire.RangeRequest) (wire.RangeDigest, error) {
	d, err := b.Side.Range(ctx, req)
	if b.err != nil && req.After != nil {
		return d, b.err
	}
	if b.row == nil && b.err == nil {
		d.Last = nil
	}
	return d, err
}

func (b broken) Rows(_ context.Context, _ string, _, _ wire.Key, yield func([]wire.Value) error) error {
	return yield(b.row)
}

func TestErrorsOfSidesComeThrough(t *testing.T) {
	left, right := newMemory(100), newMemory(99)
	lost := errors.New("connection lost")
	if _, err := Rows(context.Background(), gamesTable(), left, broken{Side: right, err: lost}, 10); !errors.Is(
		err,
		lost,
	) {
		t.Errorf("error is %v", err)
	}
	if _, err := Rows(context.Background(), gamesTable(), left, broken{Side: right}, 10); userdb.KindOf(
		err,
	) != userdb.ProtocolError {
		t.Errorf("rows without a last key: %v", err)
	}
	short := []wire.Value{wire.IntValue(1)}
	if _, err := Rows(context.Background(), gamesTable(), left, broken{Side: right, row: short}, 10); userdb.KindOf(
		err,
	) != userdb.ProtocolError {
		t.Errorf("a row of another width: %v", err)
	}
}

func TestScanSideMissesAKeyThatIsGone(t *testing.T) {
	side := ScanSide(gamesTable(), newMemory(10).scan)
	for _, req := range []wire.RangeRequest{{Table: "games", After: wire.Key{wire.IntValue(5)}}, {Table: "games", Upto: wire.Key{wire.IntValue(5)}}} {
		if _, err := side.Range(context.Background(), req); err == nil {
			t.Errorf("%v was answered", req)
		}
	}
}
