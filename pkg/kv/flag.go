package kv

import (
	"encoding/json"
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// FlagValue is the value of every flag. An application may test for its presence only.
const FlagValue = "true"

// FlagMetaVersion is the version of FlagMeta that this program writes.
const FlagMetaVersion = 1

// Flag routes one user to the Durable Object.
type Flag struct {
	User  userdb.UserID
	Value string // Put writes FlagValue for ""; List leaves it empty, because the API lists no values
	Meta  FlagMeta
}

// FlagMeta rides in the key's metadata, at most 1,024 bytes of JSON. It is all zero for a flag that somebody else wrote.
type FlagMeta struct {
	Version int          `json:"v"`              // FlagMetaVersion
	State   string       `json:"s"`              // "active"
	Lineage userdb.Claim `json:"lin"`            // the claim that produced the Durable Object's content
	Gen     userdb.Claim `json:"gen"`            // the claim of the command that wrote the flag
	At      int64        `json:"at"`             // Unix time in milliseconds
	Run     string       `json:"run"`            // the run that moved the user
	Bytes   int64        `json:"bytes"`          // size of the R2 file that was moved
	ETag    userdb.ETag  `json:"etag,omitempty"` // of the fenced R2 file
}

// encode checks the size, so that one long run name does not make the API refuse a whole batch.
func (m FlagMeta) encode() (json.RawMessage, error) {
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode metadata: %w", err)
	}
	if len(raw) > maxMetaBytes {
		return nil, fmt.Errorf("metadata has %d bytes, KV takes %d", len(raw), maxMetaBytes)
	}
	return raw, nil
}

// decodeMeta gives zero for metadata of another shape: the flag still routes, whoever wrote it.
func decodeMeta(raw []byte) FlagMeta {
	var meta FlagMeta
	if len(raw) == 0 || json.Unmarshal(raw, &meta) != nil {
		return FlagMeta{}
	}
	return meta
}

// userOfKey reads the user out of a flag's key; false for a key that can be no flag of ours.
func userOfKey(key string) (userdb.UserID, bool) {
	if len(key) < len(userdb.FlagPrefix) || key[:len(userdb.FlagPrefix)] != userdb.FlagPrefix {
		return "", false
	}
	user, err := userdb.ParseUserID(key[len(userdb.FlagPrefix):])
	return user, err == nil
}
