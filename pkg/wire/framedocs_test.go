package wire_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// TestFramesAreAsThePageSays reads what the code writes by the tables of docs/wire-format.md alone.
func TestFramesAreAsThePageSays(t *testing.T) {
	columns, row := []string{"a", "b"}, []wire.Value{wire.IntValue(5), wire.RealValue(1.5)}
	cells, reals := wire.AppendRow(nil, nil, row)

	batch := wire.NewBatch(nil)
	batch.AppendRow("games", columns, 7, row)
	frame := dissect(t, "kind", dissect(t, "`DMR1`", batch.Bytes())["frames"])
	same(t, "kind", frame["kind"], []byte("D"))
	isJSON(t, frame["header"])
	payload := dissect(t, "those of the row", frame["payload"])
	same(t, "cells of a row", payload["cells"], cells)
	same(t, "reals of a row", payload["reals"], reals)

	page := &wire.ExportPage{ExportHeader: wire.ExportHeader{Table: "games", Columns: columns, Rows: 1}, Cells: cells, Reals: reals}
	pageBytes := wire.AppendExportPage(nil, page)
	parts := dissect(t, "`DMX1` |\n", pageBytes)
	isJSON(t, parts["header"])
	same(t, "cells of a page", parts["cells"], cells)
	same(t, "reals of a page", parts["reals"], reals)

	body, err := wire.ImportRequest{Batch: batch.Bytes()}.Encode()
	must(t, err)
	parts = dissect(t, "`DMI1`", body)
	isJSON(t, parts["header"])
	same(t, "batch", parts["batch"], batch.Bytes())

	parts = dissect(t, "`DMA1`", wire.AppendExported(nil, &wire.Exported{Pages: []*wire.ExportPage{page}}))
	isJSON(t, parts["header"])
	same(t, "page", dissect(t, "page length", parts["pages"])["page"], pageBytes)
}

var byteTable = regexp.MustCompile(`\| offset \| size in bytes \| field \| meaning \|\n\|[-|]+\|\n((?:\|.*\n)+)`)

// dissect cuts body into fields by the table that has this text. The magic and the end have to fit.
func dissect(t *testing.T, text string, body []byte) map[string][]byte {
	t.Helper()
	page, err := os.ReadFile("../../docs/wire-format.md")
	must(t, err)
	for _, table := range byteTable.FindAllStringSubmatch(string(page), -1) {
		if strings.Contains(table[1], text) {
			return cut(t, table[1], body)
		}
	}
	t.Fatalf("docs/wire-format.md has no table with %s", text)
	return nil
}

func cut(t *testing.T, table string, body []byte) map[string][]byte {
	t.Helper()
	fields, at := map[string][]byte{}, 0
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		offset, size, field, meaning := cells[1], cells[2], cells[3], cells[4]
		if offset != "then" && offset != strconv.Itoa(at) {
			t.Fatalf("%s is at %d, not at %s", field, at, offset)
		}
		n, err := strconv.Atoi(size)
		switch {
		case size == "the rest":
			n = len(body) - at
		case err != nil: // the length is a field
			n = int(binary.LittleEndian.Uint32(fields[size]))
		}
		if n > len(body)-at {
			t.Fatalf("%s has %d bytes, and %d are there", field, n, len(body)-at)
		}
		fields[field], at = body[at:at+n], at+n
		if field == "magic" {
			same(t, field, fields[field], []byte(strings.Trim(meaning, "`")))
		}
	}
	if at != len(body) {
		t.Fatalf("%d bytes are in no field", len(body)-at)
	}
	return fields
}

func same(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if !bytes.Equal(got, want) {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

func isJSON(t *testing.T, header []byte) {
	t.Helper()
	if !json.Valid(header) {
		t.Errorf("the header is not JSON: %q", header)
	}
}
