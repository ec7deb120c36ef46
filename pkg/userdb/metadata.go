package userdb

import (
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// The object's custom metadata repeats the mark, so that a HEAD shows it. The bytes decide.
const (
	metadataFence = "dbmigrate-fence" // "lineage.nonce"
	metadataStamp = "dbmigrate-stamp" // the claim
)

// Metadata returns a copy of meta that says what the mark says.
func (m Mark) Metadata(meta map[string]string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, meta)
	delete(out, metadataFence)
	delete(out, metadataStamp)
	switch m.Kind {
	case FenceMark:
		out[metadataFence] = fmt.Sprintf("%d.%d", m.Lin, m.Non)
	case StampMark:
		out[metadataStamp] = fmt.Sprint(m.Stamp)
	}
	return out
}

// MetadataFenced says whether metadata speaks of a fence. S3 metadata names are case-insensitive.
func MetadataFenced(meta map[string]string) bool {
	for name := range meta {
		if strings.EqualFold(name, metadataFence) {
			return true
		}
	}
	return false
}

// MetadataStamp is the stamp that metadata speaks of, 0 for none.
func MetadataStamp(meta map[string]string) Claim {
	for name, value := range meta {
		if !strings.EqualFold(name, metadataStamp) {
			continue
		}
		if stamp, err := strconv.ParseUint(value, 10, 32); err == nil {
			return Claim(stamp)
		}
	}
	return 0
}
