package wire_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

func TestBatchLimits(t *testing.T) {
	limits := wire.DefaultLimits
	limits.BatchBytes = 100
	_, err := wire.ParseBatch(append([]byte("DMR1"), make([]byte, 97)...), limits)
	wantFormatError(t, err, wire.KindTooLarge)

	header := `{"table":"t","columns":["a"],"plan":"v","rows":1}`
	_, err = wire.ParseBatch(
		rawBatch([3]string{"J", header, strings.Repeat("\x00", 1_000_001)}),
		wire.DefaultLimits,
	)
	wantFormatError(t, err, wire.KindBadBatch)
}

func TestARowThatNoRequestHoldsIsAnError(t *testing.T) {
	b := wire.NewBatcher(wire.DefaultLimits, 1<<20, func([]byte, int) error { return nil })
	must(t, b.Table("huge", []string{"a"}))
	err := b.Add([]wire.Value{wire.BlobValue(make([]byte, wire.DefaultLimits.BatchBytes))})
	if err == nil || !strings.Contains(err.Error(), "huge") {
		t.Errorf("error is %v", err)
	}
}

func TestErrorsOfEmitEndTheBatcher(t *testing.T) {
	lost := errors.New("connection lost")
	b := wire.NewBatcher(wire.DefaultLimits, 1<<20, func([]byte, int) error { return lost })
	must(t, b.Table("t", []string{"a"}))
	must(t, b.Add([]wire.Value{wire.IntValue(1)}))
	if err := b.Flush(); !errors.Is(err, lost) {
		t.Errorf("error is %v", err)
	}
}

// A body that was given back must not be written to before it is given out again.
func TestRecycledBodiesAreFilledAnew(t *testing.T) {
	var b *wire.Batcher
	var digests []string
	run := func(recycle bool) []string {
		digests = nil
		b = wire.NewBatcher(wire.DefaultLimits, 10_000, func(body []byte, _ int) error {
			sum := sha256.Sum256(body)
			digests = append(digests, hex.EncodeToString(sum[:]))
			if recycle {
				clear(body)
				b.Recycle(body)
			}
			return nil
		})
		must(t, b.Table("t", []string{"a", "b", "c", "d", "e"}))
		for i := range 2000 {
			must(t, b.Add(generatedRow(i)))
		}
		must(t, b.Flush())
		return digests
	}
	plain, recycled := run(false), run(true)
	if len(plain) < 5 || strings.Join(plain, "") != strings.Join(recycled, "") {
		t.Errorf("%d bodies, and %d with recycling", len(plain), len(recycled))
	}
}

func TestBodiesBelongToTheirReceiver(t *testing.T) {
	var bodies [][]byte
	var copies []string
	b := wire.NewBatcher(wire.DefaultLimits, 10_000, func(body []byte, _ int) error {
		bodies = append(bodies, body)
		copies = append(copies, string(body))
		return nil
	})
	must(t, b.Table("t", []string{"a", "b", "c", "d", "e"}))
	for i := range 2000 {
		must(t, b.Add(generatedRow(i)))
	}
	must(t, b.Flush())
	for i, body := range bodies {
		if string(body) != copies[i] {
			t.Fatalf("body %d changed after it was handed out", i)
		}
	}
}

// The hasher treats long values, short ones and the borders between its blocks differently; the digest must
// not show it.
func TestHashersStreamWhatAppendRowWrites(t *testing.T) {
	var rows [][]wire.Value
	for _, n := range []int{0, 1, 16<<10 - 1, 16 << 10, 16<<10 + 1, 100_000, 5, 9000, 9000} {
		rows = append(
			rows,
			[]wire.Value{
				wire.TextValue(strings.Repeat("t", n)),
				wire.RealValue(float64(n)),
				wire.BlobValue(bytes.Repeat([]byte{1}, n)),
				wire.NullValue(),
			},
		)
	}
	var cells, reals []byte
	table, span := wire.NewTableHasher(), wire.NewRangeHasher()
	for _, row := range rows {
		cells, reals = wire.AppendRow(cells, reals, row)
		table.Add(row)
		span.Add(row)
	}
	page := sha256.Sum256(append(cells, reals...))
	if _, got := span.Sum(); got != page {
		t.Errorf("range is %x, want %x", got, page)
	}
	if _, got := table.Sum(); got != sha256.Sum256(page[:]) {
		t.Errorf("table is %x", got)
	}
}

func TestAddKeepsNothingOfTheRow(t *testing.T) {
	h, want := wire.NewTableHasher(), wire.NewTableHasher()
	shared := []byte("abc")
	h.Add([]wire.Value{wire.BlobValue(shared)})
	copy(shared, "xyz")
	want.Add([]wire.Value{wire.BlobValue([]byte("abc"))})
	_, a := h.Sum()
	_, b := want.Sum()
	if a != b {
		t.Error("the digest follows the reader's memory")
	}
}

func TestDatabaseDigestValidate(t *testing.T) {
	good := func() wire.DatabaseDigest {
		h := wire.NewTableHasher()
		h.Add([]wire.Value{wire.IntValue(1)})
		n, digest := h.Sum()
		return wire.DatabaseDigestOf(
			wire.SchemaDigest(wire.Schema{}),
			[]wire.TableDigest{wire.NewTableDigest("b", n, digest), wire.NewTableDigest("a", n, digest)},
		)
	}
	cases := []struct {
		name   string
		change func(*wire.DatabaseDigest)
		ok     bool
	}{
		{"OK", func(*wire.DatabaseDigest) {}, true},
		{"another schema", func(d *wire.DatabaseDigest) { d.Schema = strings.Repeat("0", 64) }, false},
		{"no schema", func(d *wire.DatabaseDigest) { d.Schema = "" }, false},
		{"another row count", func(d *wire.DatabaseDigest) { d.Tables[0].Rows++ }, false},
		{"a negative row count", func(d *wire.DatabaseDigest) { d.Tables[0].Rows = -1 }, false},
		{
			"a digest that is no hex",
			func(d *wire.DatabaseDigest) { d.Tables[0].Digest = strings.Repeat("x", 64) },
			false,
		},
		{
			"a digest in capitals",
			func(d *wire.DatabaseDigest) { d.Tables[0].Digest = strings.ToUpper(d.Tables[0].Digest) },
			false,
		},
		{
			"not sorted",
			func(d *wire.DatabaseDigest) { d.Tables[0], d.Tables[1] = d.Tables[1], d.Tables[0] },
			false,
		},
		{"a table twice", func(d *wire.DatabaseDigest) { d.Tables[1].Name = "a" }, false},
		{"another database digest", func(d *wire.DatabaseDigest) { d.Database = d.Schema }, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := good()
			c.change(&d)
			if err := d.Validate(); (err == nil) != c.ok {
				t.Errorf("error is %v", err)
			}
		})
	}
}

func TestParseError(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	e := wire.ParseError(
		409,
		" 3 ",
		now,
		[]byte(
			`{"error":{"kind":"stale-claim","message":"claim 3\u001b[31m\nwas superseded","details":{"gen":5,"missing":[[1,2]]}}}`,
		),
	)
	if e == nil || e.Kind != wire.KindStaleClaim || e.Status != 409 || e.RetryAfter != 3*time.Second ||
		e.Message != "claim 3 [31m was superseded" {
		t.Fatalf("error is %+v", e)
	}
	if d, err := e.DecodeDetails(); err != nil || d.Gen != 5 || len(d.Missing) != 1 {
		t.Errorf("details are %+v, %v", d, err)
	}
	long, _ := json.Marshal(
		map[string]any{"error": map[string]string{"kind": "internal", "message": strings.Repeat("ä", 5000)}},
	)
	if e := wire.ParseError(500, "", now, long); len(e.Message) > 1010 ||
		!strings.HasSuffix(e.Message, "ä...") {
		t.Errorf("a long message has %d bytes", len(e.Message))
	}
	for _, body := range []string{``, `<html>`, `{}`, `{"error":"x"}`, `{"error":{}}`, `{"error":{"kind":5}}`, `[]`} {
		if e := wire.ParseError(500, "", now, []byte(body)); e != nil {
			t.Errorf("%q is %+v", body, e)
		}
	}
}

func TestNaNIsNull(t *testing.T) {
	nan := wire.RealValue(math.NaN())
	if cells, reals := wire.AppendRow(nil, nil, []wire.Value{nan, {}}); string(cells) != "NN" ||
		len(reals) != 0 {
		t.Errorf("cells are %q and %x", cells, reals)
	}
	if !nan.Equal(wire.NullValue()) || !nan.Equal(wire.Value{}) {
		t.Error("NaN, the zero value and NULL differ")
	}
}

func TestEqualSeesWhatSQLiteStores(t *testing.T) {
	differ := []wire.Value{
		wire.NullValue(),
		wire.IntValue(0),
		wire.IntValue(5),
		wire.RealValue(0),
		wire.RealValue(math.Copysign(0, -1)),
		wire.RealValue(5),
		wire.TextValue(""),
		wire.TextValue("5"),
		wire.BlobValue(nil),
		wire.BlobValue([]byte("5")),
	}
	for i, a := range differ {
		for j, b := range differ {
			if a.Equal(b) != (i == j) {
				t.Errorf("%v (%s) and %v (%s): %v", a, a.Class, b, b.Class, a.Equal(b))
			}
		}
	}
}
