package wire_test

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strconv"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// wantFormatError checks that a broken vector is refused as it says.
func wantFormatError(t *testing.T, err error, kind string) {
	t.Helper()
	var format *wire.FormatError
	if !errors.As(err, &format) || format.Kind != kind {
		t.Errorf("error is %v, want %s", err, kind)
	}
}

func TestValueVectors(t *testing.T) {
	for _, c := range readVectors[[]valueVector](t, "values.json") {
		t.Run(c.Name, func(t *testing.T) {
			var v wire.Value
			err := json.Unmarshal(c.JSON, &v)
			if c.Expect.Error != "" {
				if err == nil {
					t.Errorf("%s was read as %v", c.JSON, v)
				}
				return
			}
			must(t, err)
			if v.Class.String() != c.Expect.Class || hex.EncodeToString(v.Bytes) != c.Expect.Hex {
				t.Errorf("%s was read as %v", c.JSON, v)
			}
			if v.Class == wire.Integer && strconv.FormatInt(v.Int, 10) != c.Expect.Int ||
				v.Class == wire.Real && fmt.Sprintf("%016x", math.Float64bits(v.Real)) != c.Expect.Bits {
				t.Errorf("%s was read as %v", c.JSON, v)
			}
			if back, err := json.Marshal(v); err != nil || compact(t, back) != compact(t, c.JSON) {
				t.Errorf("%s became %s, %v", c.JSON, back, err)
			}
		})
	}
}

func compact(t *testing.T, data []byte) string {
	t.Helper()
	var parsed any
	must(t, json.Unmarshal(data, &parsed))
	out, err := json.Marshal(parsed)
	must(t, err)
	return string(out)
}

func TestRowVectors(t *testing.T) {
	for _, c := range readVectors[[]rowsVector](t, "rows.json") {
		t.Run(c.Name, func(t *testing.T) {
			cells, reals := unhex(t, c.Cells), unhex(t, c.Reals)
			var got [][]wire.Value
			n, err := wire.DecodeRows(cells, reals, c.Columns, func(row []wire.Value) error {
				got = append(got, cloneRow(row))
				return nil
			})
			if c.Expect.Error != "" {
				wantFormatError(t, err, c.Expect.Error)
				return
			}
			must(t, err)
			if int(n) != len(c.Expect.Rows) {
				t.Fatalf("%d rows", n)
			}
			var cells2, reals2 []byte
			for i, row := range got {
				if !equalRow(row, c.Expect.Rows[i]) {
					t.Errorf("row %d is %v", i, row)
				}
				cells2, reals2 = wire.AppendRow(cells2, reals2, c.Expect.Rows[i])
			}
			if hex.EncodeToString(cells2) != c.Cells || hex.EncodeToString(reals2) != c.Reals {
				t.Errorf("encoded again it is %x and %x", cells2, reals2)
			}
		})
	}
}

func TestTableVectors(t *testing.T) {
	table, encoded, span := wire.NewTableHasher(), wire.NewTableHasher(), wire.NewRangeHasher() // used again and again, as Sum allows
	for _, c := range readVectors[[]tableVector](t, "tables.json") {
		for i := range c.Rows {
			table.Add(generatedRow(i))
			encoded.AddEncoded(wire.AppendRow(nil, nil, generatedRow(i)))
			span.Add(generatedRow(i))
		}
		rows, digest := table.Sum()
		_, digest2 := encoded.Sum()
		rangeRows, rangeDigest := span.Sum()
		if rows != int64(c.Rows) || rangeRows != rows || hex.EncodeToString(digest[:]) != c.Expect.Table ||
			digest2 != digest ||
			hex.EncodeToString(rangeDigest[:]) != c.Expect.Range {
			t.Errorf(
				"%d rows: %d rows, table %x and %x, range %x",
				c.Rows,
				rows,
				digest,
				digest2,
				rangeDigest,
			)
		}
	}
}

// These were computed by a second implementation, in Python, from the page that describes the format.
func TestDigestsOfASecondImplementation(t *testing.T) {
	tables := readVectors[[]tableVector](t, "tables.json")
	digests := readVectors[digestFile](t, "digests.json")
	got := []string{
		tables[0].Expect.Table,
		tables[1].Expect.Range,
		tables[1].Expect.Table,
		tables[len(tables)-1].Expect.Table,
		digests.Schemas[3].Expect.Digest,
		digests.Databases[3].Expect.Database,
	}
	want := []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"c61f6777b711169ddfb0938ffb374d152794aa65dc6be7ae4b85ec2d10e03be1",
		"6140407b63c39c92024efe2209369425cae4c00bc72f61b28a458afda5fd022b",
		"a509fe0e803f77e1f6f4114a75faf12af121e86f5079b5c90c8fa7aba887785d",
		"2a22233adbcd371738869081c293209f53b1f1cdb6f02995d2cad0dd95da6109",
		"db193938b888aee86c38ccf986ced625f9508cafa5ad01774132bcd747778931",
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("digest %d is %s, want %s", i, got[i], want[i])
		}
	}
}

func TestDigestVectors(t *testing.T) {
	f := readVectors[digestFile](t, "digests.json")
	for _, c := range f.Schemas {
		if digest := wire.SchemaDigest(c.Schema); hex.EncodeToString(digest[:]) != c.Expect.Digest {
			t.Errorf("%s: %x", c.Name, digest)
		}
	}
	if f.Schemas[1].Expect != f.Schemas[2].Expect || f.Schemas[1].Expect == f.Schemas[3].Expect {
		t.Error("the order of objects must not count, and the header must")
	}
	for _, c := range f.Databases {
		must(t, c.Expect.Validate())
		if got := wire.DatabaseDigestOf([32]byte(unhex(t, c.Schema)), c.Tables); !reflect.DeepEqual(
			got,
			c.Expect,
		) {
			t.Errorf("%s: %+v", c.Name, got)
		}
	}
	if f.Databases[1].Expect.Database != f.Databases[2].Expect.Database {
		t.Error("an empty sqlite_sequence must not count")
	}
}

func TestBatchVectors(t *testing.T) {
	db := openSQLite(t)
	for _, c := range readVectors[[]batchVector](t, "batches.json") {
		t.Run(c.Name, func(t *testing.T) {
			frames, err := wire.ParseBatch(unhex(t, c.Body), wire.DefaultLimits)
			var values [][]wire.Value
			for _, f := range frames {
				if err == nil {
					err = f.Decode(func(row []wire.Value) error {
						values = append(values, cloneRow(row))
						return nil
					})
				}
			}
			if c.Expect.Error != "" {
				wantFormatError(t, err, c.Expect.Error)
				return
			}
			must(t, err)
			if len(frames) != len(c.Expect.Frames) {
				t.Fatalf("%d frames", len(frames))
			}
			var want [][]wire.Value
			for i, f := range c.Expect.Frames {
				if string(frames[i].Kind) != f.Kind ||
					!reflect.DeepEqual(frames[i].FrameHeader, f.FrameHeader) ||
					hex.EncodeToString(frames[i].Payload) != f.Payload {
					t.Errorf("frame %d is %+v", i, frames[i])
				}
				want = append(want, f.Values...)
			}
			checkFrames(t, db, frames, want)
		})
	}
}

func TestPageVectors(t *testing.T) {
	for _, c := range readVectors[[]pageVector](t, "pages.json") {
		t.Run(c.Name, func(t *testing.T) {
			page, err := wire.ParseExportPage(unhex(t, c.Body))
			var rows [][]wire.Value
			if err == nil {
				err = page.Each(func(row []wire.Value) error {
					rows = append(rows, cloneRow(row))
					return nil
				})
			}
			if c.Expect.Error != "" {
				wantFormatError(t, err, c.Expect.Error)
				return
			}
			must(t, err)
			if !reflect.DeepEqual(page.ExportHeader, *c.Expect.Header) || len(rows) != len(c.Expect.Rows) {
				t.Errorf("page is %+v with %d rows", page.ExportHeader, len(rows))
			}
			for i, row := range rows {
				if !equalRow(row, c.Expect.Rows[i]) {
					t.Errorf("row %d is %v", i, row)
				}
			}
		})
	}
}

func TestQueryVectors(t *testing.T) {
	f := readVectors[queryFile](t, "query.json")
	for _, c := range f.Parameters {
		v, err := wire.ParseQueryValue(json.RawMessage(c.JSON))
		want := wire.NullValue() // as which JSON's null is read into a pointer
		if c.Expect.Value != nil {
			want = *c.Expect.Value
		}
		if (err != nil) != (c.Expect.Error != "") || err == nil && !v.Equal(want) {
			t.Errorf("%s was read as %v, %v", c.JSON, v, err)
		}
	}
	for _, c := range f.Results {
		got, err := wire.QueryValue(c.Value)
		must(t, err)
		if string(got) != c.Expect.JSON {
			t.Errorf("%v is answered as %s, want %s", c.Value, got, c.Expect.JSON)
		}
		if back, err := wire.ParseQueryValue(got); err != nil || !back.Equal(c.Value) {
			t.Errorf("%v comes back as %v, %v", c.Value, back, err)
		}
	}
}
