package userdb

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// tombstoneMagic is the first line of a tombstone.
const tombstoneMagic = "dbmigrate tombstone 1\n"

// sqliteMagic is the first 16 bytes of every SQLite database.
const sqliteMagic = "SQLite format 3\x00"

// FileKind is what the first bytes of an object say that it is.
type FileKind uint8

// The kinds of objects.
const (
	UnknownFile   FileKind = iota // neither of the others
	EmptyFile                     // no byte at all
	SQLiteFile                    // a whole SQLite header; the rest is not looked at
	TombstoneFile                 // the first line of a tombstone; ParseTombstone reads the rest
)

func (k FileKind) String() string {
	switch k {
	case EmptyFile:
		return "empty"
	case SQLiteFile:
		return "sqlite"
	case TombstoneFile:
		return "tombstone"
	}
	return "unknown"
}

// Classify says what an object is by its first HeaderBytes; give it all bytes of a shorter object.
func Classify(head []byte) FileKind {
	switch {
	case len(head) == 0:
		return EmptyFile
	case bytes.HasPrefix(head, []byte(tombstoneMagic)):
		return TombstoneFile
	case len(head) >= HeaderBytes && bytes.HasPrefix(head, []byte(sqliteMagic)):
		return SQLiteFile
	}
	return UnknownFile
}

// Tombstone takes the place of a fenced file once gc has removed its content: it carries the same fence, so
// that a router with a stale flag still goes to the Durable Object, and the receipt, from which rollback
// works.
type Tombstone struct {
	Lin     Lineage         `json:"lin"`
	Non     Nonce           `json:"non"`
	User    UserID          `json:"user"`
	Receipt json.RawMessage `json:"receipt"` // a wire.Receipt, which this package does not know
}

// deletion takes the place of the receipt in the tombstone of a user who is being deleted.
type deletion struct {
	Forgotten string `json:"forgotten"`
}

// DeletionStone is the tombstone that a deletion leaves while it goes on. The id names its receipt.
func DeletionStone(u UserID, g Claim, id string) (Tombstone, error) {
	receipt, err := json.Marshal(deletion{Forgotten: id})
	return Tombstone{Lin: g.Lineage(), Non: g.Nonce(), User: u, Receipt: receipt}, err
}

// Deletion is the id of the deletion that left the tombstone; "" where gc or a reopening did.
func (t Tombstone) Deletion() string {
	var d deletion
	if json.Unmarshal(t.Receipt, &d) != nil {
		return ""
	}
	return d.Forgotten
}

// Encode returns the object's bytes: the first line and one line of JSON.
// Errors: a claim of 0, a user id that ParseUserID refuses, a receipt that is not a JSON object.
func (t Tombstone) Encode() ([]byte, error) {
	if err := t.validate(); err != nil {
		return nil, fmt.Errorf("write tombstone: %w", err)
	}
	line, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("write tombstone: %w", err)
	}
	return append(append([]byte(tombstoneMagic), line...), '\n'), nil
}

// ParseTombstone reads a whole tombstone. What cannot be read is an error and never "no fence": the object
// may stand for a Durable Object that holds the user's only data.
func ParseTombstone(object []byte) (Tombstone, error) {
	line, found := bytes.CutPrefix(object, []byte(tombstoneMagic))
	if !found {
		return Tombstone{}, errors.New("read tombstone: the first line is another one")
	}
	line, ended := bytes.CutSuffix(line, []byte("\n"))
	if !ended {
		return Tombstone{}, errors.New("read tombstone: it is cut off")
	}
	var t Tombstone
	if err := json.Unmarshal(line, &t); err != nil {
		return Tombstone{}, fmt.Errorf("read tombstone: %w", err)
	}
	if err := t.validate(); err != nil {
		return Tombstone{}, fmt.Errorf("read tombstone: %w", err)
	}
	return t, nil
}

func (t Tombstone) validate() error {
	if t.Lin == 0 || t.Non == 0 {
		return fmt.Errorf("lineage %d and nonce %d, and claims begin at 1", t.Lin, t.Non)
	}
	if _, err := ParseUserID(string(t.User)); err != nil {
		return err
	}
	if receipt := bytes.TrimSpace(t.Receipt); len(receipt) == 0 || receipt[0] != '{' {
		return errors.New("the receipt is no JSON object")
	}
	return nil
}
