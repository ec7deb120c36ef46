package userdb

import (
	"bytes"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestMarksAreAsThePageSays writes each mark by the tables of docs/cutover.md.
func TestMarksAreAsThePageSays(t *testing.T) {
	fence, err := WithFence(testHeader(2, 1), 0x01020304, 0x05060708, testRandom)
	if err != nil {
		t.Fatal(err)
	}
	stamp, err := WithStamp(fence, 0x0a0b0c0d, testRandom)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		magic  string
		want   []byte
		fields map[string]string
	}{
		{fenceMagic, fence, map[string]string{
			"write version": "\xff", "magic": "DMF1", "lineage": "\x01\x02\x03\x04", "nonce": "\x05\x06\x07\x08",
			"original write version": "\x02", "original read version": "\x01", "random": "abcdef",
		}},
		{stampMagic, stamp, map[string]string{
			"write version": "\x02", "read version": "\x01", "magic": "DMU1", "claim": "\x0a\x0b\x0c\x0d",
			"random": "abcdefghijkl",
		}},
	} {
		got := testHeader(2, 1)
		for _, row := range rowsOf(t, "`"+test.magic+"`") {
			field := test.fields[row.field]
			if row.size != len(field) {
				t.Errorf("%s: %s has %d bytes, not %d", test.magic, row.field, len(field), row.size)
			}
			copy(got[row.offset:], field)
		}
		if !bytes.Equal(got, test.want) {
			t.Errorf("by the page the header is\n%q, and it is\n%q", got, test.want)
		}
	}
	if row := rowsOf(t, "`dbmigrate tombstone 1`")[0]; row.offset != 0 || row.size != len(tombstoneMagic) {
		t.Errorf("a tombstone begins with %d bytes, not %d", len(tombstoneMagic), row.size)
	}
}

type markRow struct {
	offset, size int
	field        string
}

var markTable = regexp.MustCompile(`\|---\|---\|---\|---\|\n((?:\|.*\n)+)`)

// rowsOf are the rows of the table that has this text, up to those without a size in bytes.
func rowsOf(t *testing.T, text string) (rows []markRow) {
	t.Helper()
	page, err := os.ReadFile("../../docs/cutover.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range markTable.FindAllStringSubmatch(string(page), -1) {
		if !strings.Contains(table[1], text) {
			continue
		}
		for line := range strings.Lines(table[1]) {
			cells := strings.Split(line, "|")
			offset, err := strconv.Atoi(strings.TrimSpace(cells[1]))
			size, sizeErr := strconv.Atoi(strings.TrimSpace(cells[2]))
			if err == nil && sizeErr == nil {
				rows = append(rows, markRow{offset, size, strings.TrimSpace(cells[3])})
			}
		}
		return rows
	}
	t.Fatalf("docs/cutover.md has no table with %s", text)
	return nil
}
