package wire

import (
	"encoding/binary"
	"encoding/json"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// The composite requests, as Hello.Composites names them (docs/wire-format.md, section 11): the Worker takes
// the steps of several single requests, each durable before the next.
const (
	CompositeImport = "import"
	CompositeSwitch = "switch"
)

// ImportRequest asks the Worker to claim the user and, if the file still is the version with ETag, to send
// schema, rows, finish and digest.
type ImportRequest struct {
	Claim  ClaimRequest `json:"claim"`
	ETag   string       `json:"etag"` // of the file that the rows were read from, without quotes
	Schema Schema       `json:"schema"`
	// Batch is batch 0 and the only one; empty where the file has no rows.
	Batch []byte `json:"-"`
}

const importMagic = "DMI1"

// Encode is the body of the request: a header, and the batch behind it.
func (r ImportRequest) Encode() ([]byte, error) {
	header, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	body := make([]byte, 0, len(importMagic)+4+len(header)+len(r.Batch))
	body = append(body, importMagic...)
	body = binary.LittleEndian.AppendUint32(body, uint32(len(header)))
	body = append(body, header...)
	return append(body, r.Batch...), nil
}

// Imported is the answer. Only Claimed is there where the claim found no user to import.
type Imported struct {
	Claimed Claimed       `json:"claimed"`
	Finish  *FinishAnswer `json:"finish"`
	Digest  *DigestReport `json:"digest"` // nil where Finish is not done
}

// SwitchRequest asks the Worker to fence the file, and to make the Durable Object ready and active.
type SwitchRequest struct {
	Gen     userdb.Claim   `json:"gen"`
	Mark    MarkRequest    `json:"mark"`
	Digest  DatabaseDigest `json:"digest"`
	Receipt Receipt        `json:"receipt"`
}

// Switched is the answer.
type Switched struct {
	Status Status `json:"status"`
	// ReceiptKept says that R2 has its copy of the receipt.
	ReceiptKept bool `json:"receiptKept"`
	// File is what the file was when the Durable Object served already; nil where nobody could look.
	File *SwitchedFile `json:"file"`
}

// SwitchedFile is the file behind the switch.
type SwitchedFile struct {
	ETag *string `json:"etag"` // without quotes; nil: it is gone
}

// StepOf is the step at which a composite request failed, "" where it is not known.
func StepOf(details json.RawMessage) string {
	var at struct {
		Step string `json:"step"`
	}
	if json.Unmarshal(details, &at) != nil {
		return ""
	}
	return at.Step
}
