package wire_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// What a decoder accepts must encode to the same bytes: there is one spelling of everything.

func FuzzDecodeRows(f *testing.F) {
	for _, c := range readVectors[[]rowsVector](f, "rows.json") {
		f.Add(unhex(f, c.Cells), unhex(f, c.Reals), c.Columns)
	}
	f.Fuzz(func(t *testing.T, cells, reals []byte, columns int) {
		var cells2, reals2 []byte
		_, err := wire.DecodeRows(cells, reals, columns%1000, func(row []wire.Value) error {
			cells2, reals2 = wire.AppendRow(cells2, reals2, row)
			return nil
		})
		if err == nil && (!bytes.Equal(cells, cells2) || !bytes.Equal(reals, reals2)) {
			t.Errorf("%q and %x became %q and %x", cells, reals, cells2, reals2)
		}
	})
}

func FuzzParseBatch(f *testing.F) {
	for _, c := range readVectors[[]batchVector](f, "batches.json") {
		f.Add(unhex(f, c.Body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		frames, err := wire.ParseBatch(body, wire.DefaultLimits)
		if err != nil {
			return
		}
		for _, frame := range frames {
			rows := 0
			err := frame.Decode(func(row []wire.Value) error {
				rows++
				if len(row) != len(frame.Columns) {
					t.Errorf("a row of %d cells in %d columns", len(row), len(frame.Columns))
				}
				return nil
			})
			if err == nil && rows != frame.Rows {
				t.Errorf("%d rows of %d", rows, frame.Rows)
			}
		}
	})
}

func FuzzDecodeJSONB(f *testing.F) {
	for _, c := range readVectors[[]batchVector](f, "batches.json") {
		frames, _ := wire.ParseBatch(unhex(f, c.Body), wire.DefaultLimits)
		for _, frame := range frames {
			if frame.Kind == 'J' {
				f.Add(frame.Payload, frame.Plan[:1])
			}
		}
	}
	db := openSQLite(f)
	f.Fuzz(func(t *testing.T, payload []byte, plan string) {
		if plan != "v" && plan != "b" && plan != "m" {
			return
		}
		var rows [][]wire.Value
		if _, err := wire.DecodeJSONB(payload, plan, func(row []wire.Value) error {
			rows = append(rows, cloneRow(row))
			return nil
		}); err != nil {
			return
		}
		got := sqliteRows(t, db, payload, plan) // what we accept, SQLite reads in the same way
		if len(got) != len(rows) {
			t.Fatalf("SQLite sees %d rows of %d", len(got), len(rows))
		}
		for i := range rows {
			if !equalRow(got[i], rows[i]) {
				t.Errorf("row %d: SQLite reads %v instead of %v", i, got[i], rows[i])
			}
		}
	})
}

func FuzzParseExportPage(f *testing.F) {
	for _, c := range readVectors[[]pageVector](f, "pages.json") {
		f.Add(unhex(f, c.Body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		page, err := wire.ParseExportPage(body)
		if err != nil {
			return
		}
		if page.Each(func([]wire.Value) error { return nil }) != nil {
			return
		}
		again, err := wire.ParseExportPage(wire.AppendExportPage(nil, page))
		if err != nil || !bytes.Equal(again.Cells, page.Cells) || !bytes.Equal(again.Reals, page.Reals) ||
			again.Rows != page.Rows {
			t.Errorf("%+v became %+v, %v", page, again, err)
		}
	})
}

func FuzzValueJSON(f *testing.F) {
	for _, c := range readVectors[[]valueVector](f, "values.json") {
		f.Add([]byte(c.JSON))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var v, again wire.Value
		if json.Unmarshal(data, &v) != nil {
			return
		}
		out, err := json.Marshal(v)
		must(t, err)
		must(t, json.Unmarshal(out, &again))
		if !v.Equal(again) {
			t.Errorf("%s became %s", data, out)
		}
	})
}

func FuzzQueryValue(f *testing.F) {
	for _, c := range readVectors[queryFile](f, "query.json").Parameters {
		f.Add([]byte(c.JSON))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := wire.ParseQueryValue(data)
		if err != nil {
			return
		}
		out, err := wire.QueryValue(v)
		if err != nil {
			t.Fatalf("%s was read as %v, which has no result: %v", data, v, err)
		}
		if again, err := wire.ParseQueryValue(out); err != nil || !again.Equal(v) {
			t.Errorf("%s became %s and then %v, %v", data, out, again, err)
		}
	})
}

func FuzzParseError(f *testing.F) {
	f.Add([]byte(`{"error":{"kind":"stale-claim","message":"m","details":{"gen":5}}}`), "3")
	f.Add([]byte(`{"error":{}}`), "Mon, 23 Nov 2026 12:00:09 GMT")
	f.Fuzz(func(t *testing.T, body []byte, retryAfter string) {
		e := wire.ParseError(500, retryAfter, time.Unix(1e9, 0), body)
		if e == nil {
			return
		}
		if e.RetryAfter < 0 || e.Kind == "" || len(e.Message) > 1100 {
			t.Errorf("%q is %+v", body, e)
		}
		_, _ = e.DecodeDetails()
	})
}
