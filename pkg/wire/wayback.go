package wire

import (
	"encoding/binary"
	"encoding/json"
)

// The composite requests of the way back.
const (
	CompositeReturn = "return"
	CompositeExport = "export"
)

// ExportBytes are the most rows that one `export` answers with.
const ExportBytes = 2 << 20

// BackRequest asks the Worker to claim the user for a rollback, if the file still is the version that was
// seen behind the fence.
type BackRequest struct {
	Claim    ClaimRequest `json:"claim"`
	ETag     string       `json:"etag"`             // of the fenced file, without quotes
	Modified int64        `json:"modified"`         // as in MarkRequest
	Source   string       `json:"source,omitempty"` // for return: SHA-256 of the file without its mark, hex
}

// Returned is the answer to return: the object is empty, and the file is back.
type Returned struct {
	Status Status `json:"status"`
}

const exportedMagic = "DMA1"

// Exported is the answer to export: the sealed object, and everything that it holds. In that to export/all
// nothing is sealed, and Claimed is empty.
type Exported struct {
	Claimed Claimed       `json:"claimed"`
	Digest  *DigestReport `json:"digest"` // nil, as Schema, where the claim found nothing to give back
	Schema  *ExportSchema `json:"schema"`
	// Pages are one for each table with rows, whole.
	Pages []*ExportPage `json:"-"`
}

// ParseExported reads the answer; the pages alias body.
func ParseExported(body []byte) (*Exported, error) {
	r := blockReader{what: "export", data: body}
	if !r.magic(exportedMagic) {
		return nil, r.malformed(0, "it does not begin with "+exportedMagic)
	}
	header, err := r.block("header")
	if err != nil {
		return nil, err
	}
	var e Exported
	if err := json.Unmarshal(header, &e); err != nil { // newer Workers may say more
		return nil, r.malformed(len(exportedMagic), "header: "+err.Error())
	}
	for r.pos < len(body) {
		at := r.pos
		block, err := r.block("page")
		if err != nil {
			return nil, err
		}
		// Its memory may be used again, but not that of the page behind it.
		page, err := ParseExportPage(block[:len(block):len(block)])
		if err != nil {
			return nil, err
		}
		if !page.Done {
			return nil, r.malformed(at, "a page that does not end its table")
		}
		e.Pages = append(e.Pages, page)
	}
	return &e, nil
}

// AppendExported appends the answer to b: what a Durable Object does, for stand-ins in tests.
func AppendExported(b []byte, e *Exported) []byte {
	b = append(b, exportedMagic...)
	header := compactJSON(e)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(header)))
	b = append(b, header...)
	for _, p := range e.Pages {
		page := AppendExportPage(nil, p)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(page)))
		b = append(b, page...)
	}
	return b
}
