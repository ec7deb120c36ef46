package wire

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// SchemaDigest is the digest of a schema (section 6). It does not depend on the order of the objects.
func SchemaDigest(s Schema) [32]byte {
	var cells []byte
	for _, text := range []string{
		"userVersion", strconv.FormatInt(int64(s.Header.UserVersion), 10),
		"applicationId", strconv.FormatInt(int64(s.Header.ApplicationID), 10),
		"encoding", s.Header.Encoding,
		"pageSize", strconv.Itoa(s.Header.PageSize),
		"autoVacuum", strconv.Itoa(s.Header.AutoVacuum),
	} {
		cells = appendTextCell(cells, text)
	}
	for _, o := range sortedObjects(s.Objects) {
		for _, text := range []string{o.Type, o.Name, o.Table, o.SQL} {
			cells = appendTextCell(cells, text)
		}
	}
	return sha256.Sum256(cells)
}

func appendTextCell(cells []byte, text string) []byte {
	return append(appendLength(cells, 'T', len(text)), text...)
}

func sortedObjects(objects []Object) []Object {
	return slices.SortedFunc(slices.Values(objects), func(a, b Object) int {
		return cmp.Or(strings.Compare(a.Type, b.Type), strings.Compare(a.Name, b.Name))
	})
}

// NewTableDigest puts what TableHasher.Sum returned into the form of the wire.
func NewTableDigest(name string, rows int64, digest [32]byte) TableDigest {
	return TableDigest{Name: name, Rows: rows, Digest: hex.EncodeToString(digest[:])}
}

// DatabaseDigestOf joins a schema digest and the digests of all tables, in any order. It panics when a digest
// is not 64 hex digits: for a DatabaseDigest that came from elsewhere use Validate.
func DatabaseDigestOf(schema [32]byte, tables []TableDigest) DatabaseDigest {
	sorted := slices.SortedFunc(
		slices.Values(tables),
		func(a, b TableDigest) int { return strings.Compare(a.Name, b.Name) },
	)
	sum, err := databaseSum(schema, sorted)
	if err != nil {
		panic("wire: " + err.Error())
	}
	if sorted == nil {
		sorted = []TableDigest{} // the wire has an empty array, not null
	}
	return DatabaseDigest{
		Database: hex.EncodeToString(sum[:]),
		Schema:   hex.EncodeToString(schema[:]),
		Tables:   sorted,
	}
}

// Validate says whether d holds together: its tables sorted and named once, and its database digest the one
// that follows from the others.
func (d DatabaseDigest) Validate() error {
	schema, err := decodeDigest(d.Schema)
	if err != nil {
		return fmt.Errorf("check database digest: schema: %w", err)
	}
	for i := 1; i < len(d.Tables); i++ {
		if d.Tables[i-1].Name >= d.Tables[i].Name {
			return fmt.Errorf(
				"check database digest: table %.80q does not belong behind %.80q",
				d.Tables[i].Name,
				d.Tables[i-1].Name,
			)
		}
	}
	sum, err := databaseSum(schema, d.Tables)
	if err != nil {
		return fmt.Errorf("check database digest: %w", err)
	}
	if hex.EncodeToString(sum[:]) != d.Database {
		return fmt.Errorf("check database digest: it says %.64q, and its parts give %x", d.Database, sum)
	}
	return nil
}

// CensusDifference names the first table where both sides have a census and these differ. It says in what,
// from d's point of view; "" for none.
func (d DatabaseDigest) CensusDifference(other DatabaseDigest) string {
	others := map[string]Census{}
	for _, t := range other.Tables {
		others[t.Name] = t.Census
	}
	for _, t := range d.Tables {
		if difference := t.Census.Difference(others[t.Name]); difference != "" {
			return fmt.Sprintf("table %.100q: %s", t.Name, difference)
		}
	}
	return ""
}

func databaseSum(schema [32]byte, sorted []TableDigest) (sum [32]byte, err error) {
	h := sha256.New()
	h.Write(schema[:])
	for _, t := range sorted {
		digest, err := decodeDigest(t.Digest)
		if err != nil {
			return sum, fmt.Errorf("table %.80q: %w", t.Name, err)
		}
		if t.Rows < 0 {
			return sum, fmt.Errorf("table %.80q: it has %d rows", t.Name, t.Rows)
		}
		if t.Census.Taken() && t.Census.Rows != t.Rows {
			return sum, fmt.Errorf(
				"table %.80q: it has %d rows, and its census %d",
				t.Name,
				t.Rows,
				t.Census.Rows,
			)
		}
		if t.Rows == 0 {
			continue // an empty sqlite_sequence is the same as none, and other empty tables stand in the schema digest
		}
		var head []byte
		head = binary.LittleEndian.AppendUint32(head, uint32(len(t.Name)))
		head = append(head, t.Name...)
		head = binary.LittleEndian.AppendUint64(head, uint64(t.Rows))
		h.Write(append(head, digest[:]...))
	}
	h.Sum(sum[:0])
	return sum, nil
}

func decodeDigest(text string) (digest [32]byte, err error) {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != len(digest) || strings.ToLower(text) != text {
		return digest, fmt.Errorf("digest %.70q is not 64 lower-case hex digits", text)
	}
	return [32]byte(b), nil
}
