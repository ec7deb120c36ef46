package wire_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

func itoa(i int) string { return strconv.Itoa(i) }

// shortEdges leaves out the long values, which would only make the files long; frame_test.go has them.
func shortEdges() []wire.Value {
	var out []wire.Value
	for _, v := range edgeValues() {
		if len(v.Bytes) <= 256 {
			out = append(out, v)
		}
	}
	return out
}

func buildValues(t *testing.T) []valueVector {
	var out []valueVector
	for i, v := range shortEdges() {
		encoded, err := json.Marshal(v)
		must(t, err)
		c := valueVector{Name: fmt.Sprintf("%s %d", v.Class, i), JSON: encoded}
		c.Expect.Class = v.Class.String()
		switch v.Class {
		case wire.Integer:
			c.Expect.Int = strconv.FormatInt(v.Int, 10)
		case wire.Real:
			c.Expect.Bits = fmt.Sprintf("%016x", math.Float64bits(v.Real))
		case wire.Text, wire.Blob:
			c.Expect.Hex = hex.EncodeToString(v.Bytes)
		}
		out = append(out, c)
	}
	for _, broken := range []string{`5`, `"x"`, `true`, `[]`, `{}`, `{"int":5}`, `{"int":"5","real":"3ff8000000000000"}`, `{"int":"+5"}`, `{"int":"05"}`, `{"int":"-0"}`, `{"int":""}`,
		`{"int":"9223372036854775808"}`, `{"int":"-9223372036854775809"}`, `{"int":"1.0"}`, `{"real":"1.5"}`, `{"real":"3FF8000000000000"}`, `{"real":"3ff800000000000"}`, `{"real":"7ff8000000000000"}`,
		`{"text":"YQ"}`, `{"text":"Y Q=="}`, `{"text":"YQ-="}`, `{"blob":null}`, `{"text":"YR=="}`, `{"other":"x"}`} {
		c := valueVector{Name: "broken " + broken, JSON: json.RawMessage(broken)}
		c.Expect.Error = wire.KindBadRequest
		out = append(out, c)
	}
	return out
}

func buildRows() []rowsVector {
	var out []rowsVector
	valid := func(name string, rows ...[]wire.Value) {
		var cells, reals []byte
		for _, row := range rows {
			cells, reals = wire.AppendRow(cells, reals, row)
		}
		out = append(
			out,
			rowsVector{
				Name:    name,
				Columns: len(rows[0]),
				Cells:   hex.EncodeToString(cells),
				Reals:   hex.EncodeToString(reals),
				Expect:  rowsWant{Rows: rows},
			},
		)
	}
	for i, v := range shortEdges() {
		valid(fmt.Sprintf("one cell %d", i), []wire.Value{v})
	}
	valid("three rows", generatedRow(0), generatedRow(1), generatedRow(10))
	broken := func(name, cells, reals string, level checkedBy) {
		out = append(
			out,
			rowsVector{
				Name:    name,
				Columns: 1,
				Cells:   hex.EncodeToString([]byte(cells)),
				Reals:   reals,
				Expect:  rowsWant{Error: wire.KindBadBatch},
				Level:   level,
			},
		)
	}
	for _, c := range []struct{ name, cells, reals string }{
		{"unknown tag", "X", ""}, {"INTEGER without end", "I5", ""}, {"INTEGER without digits", "I;", ""}, {"INTEGER with plus", "I+5;", ""},
		{"INTEGER with a leading zero", "I05;", ""}, {"INTEGER minus zero", "I-0;", ""}, {"INTEGER over 64 bits", "I9223372036854775808;", ""},
		{"INTEGER below 64 bits", "I-9223372036854775809;", ""}, {"INTEGER with a long tail", "I" + strings.Repeat("1", 40) + ";", ""},
		{"TEXT without length", "T:", ""}, {"TEXT without mark", "T5", ""}, {"TEXT cut off", "T5:abcd", ""}, {"TEXT with a negative length", "T-1:a", ""},
		{"BLOB cut off", "B1:", ""}, {"BLOB of more than there can be", "B9223372036854775807:a", ""}, {"REAL without reals", "R", ""}, {"REAL cut off", "R", "00000000000000"},
		{"reals left over", "N", "0000000000000000"}, {"NaN", "R", "000000000000f87f"},
	} {
		broken(c.name, c.cells, c.reals, "")
	}
	broken("length with a leading zero", "T01:a", "", "")
	out = append(
		out,
		rowsVector{
			Name:    "half a row",
			Columns: 2,
			Cells:   hex.EncodeToString([]byte("I1;I2;I3;")),
			Expect:  rowsWant{Error: wire.KindBadBatch},
			Level:   strict,
		},
	)
	return out
}

func buildTables() []tableVector {
	var out []tableVector
	for _, n := range []int{0, 1, 2047, 2048, 2049, 4096, 4097} {
		table, span := wire.NewTableHasher(), wire.NewRangeHasher()
		for i := range n {
			table.Add(generatedRow(i))
			span.Add(generatedRow(i))
		}
		_, tableDigest := table.Sum()
		_, rangeDigest := span.Sum()
		out = append(
			out,
			tableVector{
				Rows:   n,
				Expect: digestsWant{hex.EncodeToString(tableDigest[:]), hex.EncodeToString(rangeDigest[:])},
			},
		)
	}
	return out
}

func buildDigests() digestFile {
	table := wire.Object{
		Type:  "table",
		Name:  "games",
		Table: "games",
		SQL:   "CREATE TABLE games(a INTEGER PRIMARY KEY, \"ä\" TEXT)",
	}
	index := wire.Object{
		Type:  "index",
		Name:  "by_a",
		Table: "games",
		SQL:   "CREATE INDEX by_a ON games(\"ä\")\n-- comment",
	}
	view := wire.Object{
		Type:  "view",
		Name:  "all",
		Table: "all",
		SQL:   "CREATE VIEW \"all\" AS SELECT * FROM games",
	}
	plain := wire.Header{
		PageSize:     4096,
		Encoding:     "UTF-8",
		WriteVersion: 1,
		ReadVersion:  1,
		Internal:     []string{},
	}
	other := wire.Header{
		PageSize:      65536,
		Encoding:      "UTF-16be",
		UserVersion:   -7,
		ApplicationID: math.MaxInt32,
		AutoVacuum:    2,
		WriteVersion:  2,
		ReadVersion:   2,
		Internal:      []string{"sqlite_sequence"},
	}
	var f digestFile
	for _, s := range []struct {
		name   string
		schema wire.Schema
	}{
		{"empty", wire.Schema{Header: plain, Objects: []wire.Object{}}},
		{"objects in the order of sqlite_schema", wire.Schema{Header: plain, Objects: []wire.Object{table, index, view}}},
		{"the same objects in another order", wire.Schema{Header: plain, Objects: []wire.Object{view, index, table}}},
		{"another header", wire.Schema{Header: other, Objects: []wire.Object{table, index, view}}},
	} {
		s.schema.Virtual = []wire.Virtual{}
		digest := wire.SchemaDigest(s.schema)
		f.Schemas = append(
			f.Schemas,
			schemaVector{s.name, s.schema, digestWant{hex.EncodeToString(digest[:])}},
		)
	}
	f.Databases = buildDatabases(wire.SchemaDigest(f.Schemas[1].Schema))
	return f
}

func buildDatabases(schema [32]byte) []databaseVector {
	digests := func(name string, n int) wire.TableDigest {
		h, tally := wire.NewTableHasher(), wire.NewTally([]wire.KeyCell{{Cell: 0}}, true)
		for i := range n {
			h.Add(generatedRow(i))
			if err := tally.Add(generatedRow(i)); err != nil {
				panic(err)
			}
		}
		rows, digest := h.Sum()
		table := wire.NewTableDigest(name, rows, digest)
		table.Census = tally.Census()
		return table
	}
	var out []databaseVector
	for _, d := range []struct {
		name   string
		tables []wire.TableDigest
	}{
		{"no table", []wire.TableDigest{}},
		{"one table", []wire.TableDigest{digests("games", 3)}},
		{"an empty sqlite_sequence changes the list but not the digest", []wire.TableDigest{digests("games", 3), digests("sqlite_sequence", 0)}},
		{"sorted by bytes, not by letters", []wire.TableDigest{digests("B", 1), digests("a", 2), digests("Z", 3), digests("ä", 4), digests("😀", 5), digests("\uffff", 6)}},
	} {
		out = append(
			out,
			databaseVector{
				d.name,
				hex.EncodeToString(schema[:]),
				d.tables,
				wire.DatabaseDigestOf(schema, d.tables),
			},
		)
	}
	return out
}

func buildPages() []pageVector {
	header := wire.ExportHeader{
		Table:   "games",
		Columns: []string{"rowid", "a", "b", "c", "d"},
		Rows:    2,
		Last:    wire.Key{wire.IntValue(2)},
		Writes:  7,
		Phase:   "SEALED",
		Gen:     5,
	}
	rows := [][]wire.Value{generatedRow(0), generatedRow(1)}
	page := wire.ExportPage{ExportHeader: header}
	for _, row := range rows {
		page.Cells, page.Reals = wire.AppendRow(page.Cells, page.Reals, row)
	}
	whole := wire.AppendExportPage(nil, &page)
	end := wire.ExportPage{
		ExportHeader: wire.ExportHeader{
			Table:   "games",
			Columns: header.Columns,
			Done:    true,
			Writes:  7,
			Phase:   "ACTIVE",
			Gen:     5,
		},
	}
	out := []pageVector{
		{"two rows", hex.EncodeToString(whole), pageWant{Header: &header, Rows: rows}},
		{
			"the end",
			hex.EncodeToString(wire.AppendExportPage(nil, &end)),
			pageWant{Header: &end.ExportHeader},
		},
	}
	broken := func(name string, body []byte) {
		out = append(out, pageVector{name, hex.EncodeToString(body), pageWant{Error: wire.KindBadBatch}})
	}
	broken("empty", nil)
	broken("another magic", append([]byte("DMR1"), whole[4:]...))
	for _, cut := range []int{3, 6, 20, len(whole) - 1, len(whole) - 9, len(whole) - 40} {
		broken(fmt.Sprintf("cut off at byte %d", cut), whole[:cut])
	}
	broken("something behind the end", append(bytes.Clone(whole), 0))
	broken("a header that is no JSON", bytes.Replace(whole, []byte(`{"table`), []byte(`{'table`), 1))
	broken("more rows announced", bytes.Replace(whole, []byte(`"rows":2`), []byte(`"rows":3`), 1))
	broken("fewer rows announced", bytes.Replace(whole, []byte(`"rows":2`), []byte(`"rows":1`), 1))
	broken(
		"no rows and no end",
		wire.AppendExportPage(
			nil,
			&wire.ExportPage{ExportHeader: wire.ExportHeader{Table: "t", Columns: []string{"a"}}},
		),
	)
	broken(
		"rows without the last key",
		bytes.Replace(whole, []byte(`"last":[{"int":"2"}]`), []byte(`"last":null          `), 1),
	)
	long := bytes.Clone(whole)
	binary.LittleEndian.PutUint32(long[4:], math.MaxUint32)
	broken("a header of 4 GiB", long)
	return out
}

func buildQuery(t *testing.T) queryFile {
	var f queryFile
	for _, c := range []struct {
		json string
		want wire.Value
	}{
		{`null`, wire.NullValue()}, {`"ä\u0000b"`, wire.TextValue("ä\x00b")}, {`""`, wire.TextValue("")}, {`true`, wire.IntValue(1)}, {`false`, wire.IntValue(0)},
		{`0`, wire.IntValue(0)}, {`-0`, wire.RealValue(math.Copysign(0, -1))}, {`5`, wire.IntValue(5)}, {`5.0`, wire.IntValue(5)}, {`1e3`, wire.IntValue(1000)}, {`0.5`, wire.RealValue(0.5)},
		{`9007199254740992`, wire.IntValue(1 << 53)}, {`-9007199254740992`, wire.IntValue(-1 << 53)}, {`9007199254740993.5`, wire.RealValue(1<<53 + 2)}, {`1e20`, wire.RealValue(1e20)}, {`1e21`, wire.RealValue(1e21)}, {`1e300`, wire.RealValue(1e300)},
		{`{"int":"9223372036854775807"}`, wire.IntValue(math.MaxInt64)}, {`{"int":"-9223372036854775808"}`, wire.IntValue(math.MinInt64)}, {`{"int":"5"}`, wire.IntValue(5)},
		{`{"real":"5.0"}`, wire.RealValue(5)}, {`{"real":"5"}`, wire.RealValue(5)}, {`{"real":"-0"}`, wire.RealValue(math.Copysign(0, -1))}, {`{"real":"Infinity"}`, wire.RealValue(math.Inf(1))},
		{`{"real":"-Infinity"}`, wire.RealValue(math.Inf(-1))}, {`{"real":"1e-7"}`, wire.RealValue(1e-7)}, {`{"real":"1152921504606846976"}`, wire.RealValue(1 << 60)}, {`{"blob":""}`, wire.BlobValue(nil)}, {`{"blob":"AP8="}`, wire.BlobValue([]byte{0, 255})},
	} {
		result, err := wire.QueryValue(c.want)
		must(t, err)
		f.Parameters = append(
			f.Parameters,
			queryVector{c.json, c.json, queryWant{Value: &c.want, Result: string(result)}},
		)
	}
	for _, broken := range []string{`[]`, `{}`, `{"int":5}`, `{"int":"9223372036854775808"}`, `{"int":"1.5"}`, `{"int":""}`, `{"real":"NaN"}`, `{"real":""}`, `{"real":"x"}`, `{"blob":"A"}`, `{"blob":"A-=="}`, `{"blob":"YR=="}`,
		`{"text":"YQ=="}`, `{"int":"1","real":"1"}`, `9007199254740993`, `-9007199254740993`, `9007199254740994`, `9223372036854775807`, `100000000000000000000`, `1e400`, `-1e400`, `{"real":"1e400"}`} {
		f.Parameters = append(
			f.Parameters,
			queryVector{"broken " + broken, broken, queryWant{Error: wire.KindBadRequest}},
		)
	}
	for i, v := range shortEdges() {
		if result, err := wire.QueryValue(v); err == nil { // TEXT that is not UTF-8 has no exact form
			f.Results = append(
				f.Results,
				resultVector{fmt.Sprintf("%s %d", v.Class, i), v, resultWant{string(result)}},
			)
		}
	}
	return f
}
