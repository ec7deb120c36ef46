package kv

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Flag and FlagMeta are the nouns that the engine speaks of, too.
type (
	Flag     = userdb.Flag
	FlagMeta = userdb.FlagMeta
)

// encodeMeta checks the size, so that one long run name does not make the API refuse a whole batch.
func encodeMeta(m FlagMeta) (json.RawMessage, error) {
	raw, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode metadata: %w", err)
	}
	if len(raw) > maxMetaBytes {
		return nil, fmt.Errorf("metadata has %d bytes, KV takes %d", len(raw), maxMetaBytes)
	}
	return raw, nil
}

// decodeMeta gives zero for metadata of another shape: the flag still routes.
func decodeMeta(raw []byte) FlagMeta {
	var meta FlagMeta
	if len(raw) == 0 || json.Unmarshal(raw, &meta) != nil {
		return FlagMeta{}
	}
	return meta
}

// userOfKey reads the user out of a flag's key; false for a key that can be no flag of that kind.
func userOfKey(prefix, key string) (userdb.UserID, bool) {
	name, ours := strings.CutPrefix(key, prefix)
	user, err := userdb.ParseUserID(name)
	return user, ours && err == nil
}
