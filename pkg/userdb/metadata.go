package userdb

import (
	"fmt"
	"maps"
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
