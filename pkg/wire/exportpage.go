package wire

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

const pageMagic = "DMX1"

// ExportHeader is the JSON in front of an export page (section 5).
type ExportHeader struct {
	Table   string       `json:"table"`
	Columns []string     `json:"columns"`
	Rows    int64        `json:"rows"`
	Last    Key          `json:"last"` // key of the last row, nil when the page has none
	Done    bool         `json:"done"` // nothing follows Last
	Writes  int64        `json:"writes"`
	Phase   userdb.Phase `json:"phase"`
	Gen     userdb.Claim `json:"gen"`
}

// ExportPage is one export page; cells and reals alias the body that it was parsed from, nothing else does.
type ExportPage struct {
	ExportHeader
	Body  []byte
	Cells []byte
	Reals []byte
}

// ParseExportPage reads an export page and checks its framing; Each checks the cells.
func ParseExportPage(body []byte) (*ExportPage, error) {
	r := blockReader{what: "export page", data: body}
	if !r.magic(pageMagic) {
		return nil, r.malformed(0, "it does not begin with "+pageMagic)
	}
	header, err := r.block("header")
	if err != nil {
		return nil, err
	}
	p := &ExportPage{Body: body}
	if err := json.Unmarshal(header, &p.ExportHeader); err != nil { // newer Workers may say more
		return nil, r.malformed(len(pageMagic), "header: "+err.Error())
	}
	if p.Cells, err = r.block("cells"); err != nil {
		return nil, err
	}
	if p.Reals, err = r.block("reals"); err != nil {
		return nil, err
	}
	if r.pos != len(body) {
		return nil, r.malformed(r.pos, "bytes behind the reals")
	}
	if reason := p.check(); reason != "" {
		return nil, r.malformed(len(pageMagic), "header: "+reason)
	}
	return p, nil
}

func (p *ExportPage) check() string {
	switch {
	case len(p.Columns) == 0:
		return "no column is named"
	case p.Rows < 0:
		return "a negative number of rows"
	case p.Rows > 0 && len(p.Last) == 0:
		return "rows without the key of the last"
	case p.Rows == 0 && !p.Done:
		return "neither rows nor the end: the export would never end"
	}
	return ""
}

// Each hands the rows to yield, in key order, and checks their number. The row and the bytes in it are valid
// only during the call.
func (p *ExportPage) Each(yield func(row []Value) error) error {
	rows, err := DecodeRows(p.Cells, p.Reals, len(p.Columns), yield)
	if err == nil && rows != p.Rows {
		err = &FormatError{
			What:   "export page",
			Reason: fmt.Sprintf("%d rows are announced and %d are there", p.Rows, rows),
			Kind:   KindBadBatch,
		}
	}
	return err
}

// AppendExportPage appends the page to b: what a Durable Object does, for stand-ins in tests.
func AppendExportPage(b []byte, p *ExportPage) []byte {
	b = append(b, pageMagic...)
	for _, block := range [][]byte{compactJSON(p.ExportHeader), p.Cells, p.Reals} {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(block)))
		b = append(b, block...)
	}
	return b
}
