package wire

import (
	"encoding/json"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// FollowRequest asks for a part of a copy that is made while the application writes: what changed since an
// answer before, and some rows or their digest, all of one moment (docs/wire-format.md, section 13).
type FollowRequest struct {
	// Since is Writes of the answer before; nil begins a copy.
	Since *int64         `json:"since"`
	Read  *ExportRequest `json:"read,omitempty"`
	Check *FollowCheck   `json:"check,omitempty"`
	// Virtual says that the asker knows what to do about virtual tables: no row of theirs is named.
	Virtual bool `json:"virtual,omitempty"`
	// Whole are tables that shall come with all rows, their digests and the schema: the copy ends with it,
	// and nil is not none.
	Whole []string `json:"whole,omitzero"`
	// End says that the copy is made.
	End bool `json:"end,omitempty"`
}

// FollowCheck asks for the digest of some rows behind After.
type FollowCheck struct {
	Table string `json:"table"`
	After Key    `json:"after"`
	Limit int64  `json:"limit"`
}

// FollowedChange is what changed in one table.
type FollowedChange struct {
	Table string `json:"table"`
	// Keys are those of the rows that changed; nil: any may have.
	Keys []Key `json:"keys"`
	// Sent says that Page came: the rows of Keys that are there, or all rows of the table.
	Sent bool        `json:"page"`
	Page *ExportPage `json:"-"`
}

// Followed is the answer, of one moment.
type Followed struct {
	Phase    userdb.Phase   `json:"phase"`
	Gen      userdb.Claim   `json:"gen"`
	Lin      userdb.Lineage `json:"lin"`
	Writes   int64          `json:"writes"`
	Revision int64          `json:"revision"`
	// Began says that nobody else follows the writes: the last request says End.
	Began bool `json:"began"`
	// Lost says that something changed that nobody can name: the copy begins again.
	Lost bool `json:"lost"`
	// Log is how many writes may come between two answers; 0: 1,000, from a Worker of before.
	Log     int64            `json:"log"`
	Changes []FollowedChange `json:"changes"`
	HasRead bool             `json:"read"`
	Read    *ExportPage      `json:"-"`
	Check   *RangeDigest     `json:"check"`
	// Schema is that of the moment, at the beginning and with Whole. Tables are those at the beginning.
	Schema *ExportSchema `json:"schema"`
	Tables []string      `json:"tables"`
	// Virtual says that the Worker takes Whole. SQLite's own tables then come with it alone.
	Virtual bool `json:"virtual"`
	// Wholes are the digests of the tables of Whole, nil for one that is too large.
	Wholes []*RangeDigest `json:"wholes"`
}

// ParseFollowed reads the answer; the pages alias body.
func ParseFollowed(body []byte) (*Followed, error) {
	r := blockReader{what: "copy", data: body}
	if !r.magic(exportedMagic) {
		return nil, r.malformed(0, "it does not begin with "+exportedMagic)
	}
	header, err := r.block("header")
	if err != nil {
		return nil, err
	}
	var f Followed
	if err := json.Unmarshal(header, &f); err != nil { // newer Workers may say more
		return nil, r.malformed(len(exportedMagic), "header: "+err.Error())
	}
	for i := range f.Changes {
		if !f.Changes[i].Sent {
			continue
		}
		if f.Changes[i].Page, err = r.page(f.Changes[i].Table); err != nil {
			return nil, err
		}
	}
	if f.HasRead {
		if f.Read, err = r.page(""); err != nil {
			return nil, err
		}
	}
	if r.pos != len(body) {
		return nil, r.malformed(r.pos, "bytes behind the last page")
	}
	return &f, nil
}

// page reads one page, of that table.
func (r *blockReader) page(table string) (*ExportPage, error) {
	at := r.pos
	block, err := r.block("page")
	if err != nil {
		return nil, err
	}
	p, err := ParseExportPage(block)
	if err == nil && table != "" && (p.Table != table || !p.Done) {
		err = r.malformed(at, "a page that is not that of its change")
	}
	return p, err
}
