package wire_test

import (
	"bytes"
	"database/sql"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	_ "modernc.org/sqlite"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// edgeValues are the values that other encodings lose.
func edgeValues() []wire.Value {
	values := []wire.Value{
		wire.NullValue(), wire.TextValue(""), wire.BlobValue(nil), wire.TextValue("a\x00b"), wire.TextValue("\xff\xfe\xc3"), wire.TextValue("ä€😀"),
		wire.TextValue(
			"null",
		), wire.TextValue("5"), wire.TextValue(`"\u0000`), wire.BlobValue([]byte{0, 1, 0xff}),
	}
	for _, i := range []int64{0, 1, -1, 9, -9, 99_999_999_999, 100_000_000_000, -9_999_999_999, -99_999_999_999, 1<<53 - 1, 1 << 53, 1<<53 + 1, math.MaxInt64, math.MinInt64} {
		values = append(values, wire.IntValue(i))
	}
	for _, f := range []float64{0, math.Copysign(0, -1), 1, 5, -5, 0.1, 1.0 / 3, 1e6, 1e21, 1e-7, 123456789, 1 << 53, 1<<53 + 2, 1e22, 1e23, math.MaxFloat64, -math.MaxFloat64,
		math.SmallestNonzeroFloat64, 2.2250738585072014e-308, 2.225073858507201e-308, math.Inf(1), math.Inf(-1), 9007199254740993, 8.41, 5e-324, 1.7976931348623157e308} {
		values = append(values, wire.RealValue(f))
	}
	for _, n := range []int{10, 11, 12, 254, 255, 256, 65_534, 65_535, 65_536} {
		values = append(
			values,
			wire.TextValue(strings.Repeat("x", n)),
			wire.BlobValue(bytes.Repeat([]byte{0xee}, n)),
		)
	}
	return values
}

// openSQLite gives an in-memory database of one connection.
func openSQLite(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

// readExpression is how the Durable Object reads column i of a plan (section 3.3).
func readExpression(plan byte, i int) string {
	switch plan {
	case 'b':
		return fmt.Sprintf("cast(value->>%d as blob)", i)
	case 'm':
		return fmt.Sprintf(
			"case json_type(value,'$[%d]') when 'array' then cast(value->>'$[%d][0]' as blob) else value->>%d end",
			i,
			i,
			i,
		)
	}
	return fmt.Sprintf("value->>%d", i)
}

// sqliteRows reads a J payload with SQLite itself. Text comes back as bytes through a cast, REAL as bits
// through the driver.
func sqliteRows(t testing.TB, db *sql.DB, payload []byte, plan string) [][]wire.Value {
	t.Helper()
	var fields []string
	for i := range plan {
		e := readExpression(plan[i], i)
		fields = append(fields, "typeof("+e+")", e, "cast("+e+" as blob)")
	}
	rows, err := db.Query("select "+strings.Join(fields, ",")+" from jsonb_each(?)", payload)
	if err != nil {
		t.Fatalf("SQLite refuses the JSONB %.100x: %v", payload, err)
	}
	defer rows.Close()
	var out [][]wire.Value
	for rows.Next() {
		scanned := make([]any, len(fields))
		targets := make([]any, len(fields))
		for i := range scanned {
			targets[i] = &scanned[i]
		}
		if err := rows.Scan(targets...); err != nil {
			t.Fatal(err)
		}
		var row []wire.Value
		for i := 0; i < len(scanned); i += 3 {
			row = append(row, sqliteValue(t, scanned[i].(string), scanned[i+1], scanned[i+2]))
		}
		out = append(out, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("SQLite refuses the JSONB %.100x: %v", payload, err)
	}
	return out
}

func sqliteValue(t testing.TB, class string, value, asBlob any) wire.Value {
	t.Helper()
	raw, _ := asBlob.([]byte)
	switch class {
	case "null":
		return wire.NullValue()
	case "integer":
		return wire.IntValue(value.(int64))
	case "real":
		return wire.RealValue(value.(float64))
	case "text":
		return wire.Value{Class: wire.Text, Bytes: raw}
	case "blob":
		return wire.BlobValue(raw)
	}
	t.Fatalf("SQLite names the type %q", class)
	return wire.Value{}
}

func cloneRow(row []wire.Value) []wire.Value {
	return []wire.Value(wire.Key(row).Clone())
}

func equalRow(a, b []wire.Value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Equal(b[i]) {
			return false
		}
	}
	return true
}

// encodeFrames runs rows through a Batcher and parses what it emits.
func encodeFrames(t testing.TB, columns []string, rows [][]wire.Value, batchBytes int64) []wire.ParsedFrame {
	t.Helper()
	var frames []wire.ParsedFrame
	b := wire.NewBatcher(wire.DefaultLimits, batchBytes, func(body []byte, _ int) error {
		parsed, err := wire.ParseBatch(bytes.Clone(body), wire.DefaultLimits)
		frames = append(frames, parsed...)
		return err
	})
	must(t, b.Table("t", columns))
	for _, row := range rows {
		must(t, b.Add(row))
	}
	must(t, b.Flush())
	return frames
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// checkFrames compares rows with what the frames mean to the strict reader and to SQLite.
func checkFrames(t *testing.T, db *sql.DB, frames []wire.ParsedFrame, want [][]wire.Value) {
	t.Helper()
	next := 0
	for _, f := range frames {
		first := next
		must(t, f.Decode(func(row []wire.Value) error {
			if !equalRow(row, want[next]) {
				return fmt.Errorf("row %d reads back as %.200v instead of %.200v", next, row, want[next])
			}
			next++
			return nil
		}))
		if f.Kind != 'J' {
			continue
		}
		got := sqliteRows(t, db, f.Payload, f.Plan)
		if len(got) != f.Rows {
			t.Fatalf("SQLite sees %d rows of %d", len(got), f.Rows)
		}
		for i := range got {
			if !equalRow(got[i], want[first+i]) {
				t.Errorf(
					"plan %s row %d: SQLite reads %.200v instead of %.200v",
					f.Plan,
					first+i,
					got[i],
					want[first+i],
				)
			}
		}
	}
	if next != len(want) {
		t.Fatalf("%d rows went in and %d came out", len(want), next)
	}
}

func TestSQLiteReadsEdgeValues(t *testing.T) {
	db := openSQLite(t)
	var rows [][]wire.Value
	for _, v := range edgeValues() {
		rows = append(rows, []wire.Value{v})
	}
	checkFrames(t, db, encodeFrames(t, []string{"a"}, rows, 1<<20), rows)
}

func TestSQLiteReadsRandomRows(t *testing.T) {
	db := openSQLite(t)
	random := rand.New(rand.NewPCG(1, 2))
	edges := edgeValues()
	for range 30 {
		columns := make([]string, 1+random.IntN(9))
		var rows [][]wire.Value
		for range 1 + random.IntN(200) {
			row := make([]wire.Value, len(columns))
			for i := range row {
				row[i] = edges[random.IntN(len(edges))]
				if random.IntN(3) == 0 {
					row[i] = wire.RealValue(
						math.Float64frombits(random.Uint64()),
					) // sometimes NaN, which is NULL
				}
			}
			rows = append(rows, row)
		}
		checkFrames(t, db, encodeFrames(t, columns, rows, 1<<20), rows)
	}
}

func TestLongRowsTravelAsCells(t *testing.T) {
	db := openSQLite(t)
	long := wire.TextValue(strings.Repeat("l", wire.MaxJSONBRow))
	limit := wire.TextValue(strings.Repeat("l", wire.MaxJSONBRow-len("\xeb....\xea....")))
	rows := [][]wire.Value{{wire.IntValue(1)}, {long}, {limit}, {wire.IntValue(2)}}
	frames := encodeFrames(t, []string{"a"}, rows, 1<<21)
	checkFrames(t, db, frames, rows)
	kinds := ""
	for _, f := range frames {
		kinds += string(f.Kind)
	}
	if kinds != "JDJ" {
		t.Errorf("frames are %s instead of JDJ", kinds)
	}
}

func TestPlanFollowsTheCells(t *testing.T) {
	blob, text, null := wire.BlobValue([]byte("b")), wire.TextValue("t"), wire.NullValue()
	cases := []struct {
		name  string
		cells []wire.Value
		plans string // of the frames, one letter each
	}{
		{"no blob", []wire.Value{text, null, wire.IntValue(1)}, "v"},
		{"only blobs and NULL", []wire.Value{null, blob, blob}, "b"},
		{"only NULL", []wire.Value{null, null}, "v"},
		{"a blob behind text ends the frame once", []wire.Value{text, text, blob, text, blob, blob}, "vm"},
		{"text behind a blob ends the frame once", []wire.Value{blob, blob, text, blob}, "bm"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var rows [][]wire.Value
			for _, v := range c.cells {
				rows = append(rows, []wire.Value{v})
			}
			frames := encodeFrames(t, []string{"a"}, rows, 1<<20)
			checkFrames(t, openSQLite(t), frames, rows)
			plans := ""
			for _, f := range frames {
				plans += f.Plan
			}
			if plans != c.plans {
				t.Errorf("plans are %s instead of %s", plans, c.plans)
			}
		})
	}
}

func TestFramesAndBatchesKeepTheirLimits(t *testing.T) {
	var rows [][]wire.Value
	for i := range 5000 {
		rows = append(
			rows,
			[]wire.Value{wire.IntValue(int64(i)), wire.TextValue(strings.Repeat("x", i%1500))},
		)
	}
	var sizes, total int
	limits := wire.DefaultLimits
	limits.FrameBytes = 100_000
	b := wire.NewBatcher(limits, 300_000, func(body []byte, n int) error {
		if len(body) > 300_000 {
			t.Errorf("a batch has %d bytes", len(body))
		}
		frames, err := wire.ParseBatch(body, limits)
		inside := 0
		for _, f := range frames {
			inside += f.Rows
		}
		if inside != n {
			t.Errorf("emit was told %d rows and the batch has %d", n, inside)
		}
		sizes++
		total += n
		return err
	})
	must(t, b.Table("t", []string{"a", "b"}))
	for _, row := range rows {
		must(t, b.Add(row))
	}
	must(t, b.Flush())
	if total != len(rows) || sizes < 12 || sizes > 16 {
		t.Errorf("%d rows in %d batches", total, sizes)
	}
}

func TestFrameOfAnotherTableForgetsMixedColumns(t *testing.T) {
	f := wire.NewFrame("t", []string{"a"}, 1000)
	f.Add([]wire.Value{wire.TextValue("x")})
	if f.Add([]wire.Value{wire.BlobValue([]byte("x"))}) {
		t.Fatal("a blob joined a frame of text")
	}
	batch := wire.NewBatch(nil)
	f.AppendTo(batch)
	f.SetTable("u", []string{"a"})
	f.Add([]wire.Value{wire.BlobValue([]byte("x"))})
	f.AppendTo(batch)
	frames, err := wire.ParseBatch(batch.Bytes(), wire.DefaultLimits)
	must(t, err)
	if len(frames) != 2 || frames[1].Plan != "b" || frames[1].Table != "u" {
		t.Errorf("frames are %+v", frames)
	}
	if got := hex.EncodeToString(frames[1].Payload); got != "3b2b1a78" {
		t.Errorf("payload is %s", got)
	}
}
