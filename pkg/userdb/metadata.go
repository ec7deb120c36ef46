package userdb

import (
	"encoding/hex"
	"fmt"
	"maps"
	"strconv"
	"strings"
)

// The object's custom metadata repeats the mark, so that a HEAD shows it. The bytes decide.
const (
	metadataFence = "dbmigrate-fence" // "lineage.nonce"
	metadataStamp = "dbmigrate-stamp" // the claim
	// metadataLifted is not in the bytes: the lineage of a fence that was lifted while its Durable Object
	// could not be reached.
	metadataLifted = "dbmigrate-lifted"
	// metadataHot is not in the bytes, either: the lineage of the Durable Object that has the cold rows of
	// this file.
	metadataHot = "dbmigrate-split"
	// metadataContent is the MD5 of the bytes that were sent under a mark. A router takes it away with its
	// first save over exactly those bytes.
	metadataContent = "dbmigrate-content"
)

// Metadata returns a copy of meta that says what the mark says.
func (m Mark) Metadata(meta map[string]string) map[string]string {
	out := map[string]string{}
	maps.Copy(out, meta)
	delete(out, metadataFence)
	delete(out, metadataStamp)
	delete(out, metadataLifted)
	delete(out, metadataHot)
	delete(out, metadataContent)
	switch m.Kind {
	case FenceMark:
		out[metadataFence] = fmt.Sprintf("%d.%d", m.Lin, m.Non)
	case StampMark:
		out[metadataStamp] = fmt.Sprint(m.Stamp)
	}
	if m.LiftedFrom != 0 {
		out[metadataLifted] = fmt.Sprint(m.LiftedFrom)
	}
	if m.HotOf != 0 {
		out[metadataHot] = fmt.Sprint(m.HotOf)
	}
	return out
}

// WithContent notes, in the metadata of a marked object, which bytes are sent.
func WithContent(meta map[string]string, md5 []byte) { meta[metadataContent] = hex.EncodeToString(md5) }

// WithoutContent is what an application's save carries along from an object with this metadata.
func WithoutContent(meta map[string]string, etag ETag) map[string]string {
	out := maps.Clone(meta)
	if name, sum := contentOf(meta); sum == strings.Trim(string(etag), `"`) {
		delete(out, name)
	}
	return out
}

// HasOtherContent says whether the object holds other bytes than were sent under its mark, and no router has
// written since: something on the way altered them, or a writer carried the metadata along that does not know
// it.
func HasOtherContent(o Object) bool {
	name, sum := contentOf(o.Metadata)
	return name != "" && sum != strings.Trim(string(o.ETag), `"`)
}

// HasContent says whether metadata notes which bytes were sent under a mark.
func HasContent(meta map[string]string) bool {
	name, _ := contentOf(meta)
	return name != ""
}

func contentOf(meta map[string]string) (name, sum string) {
	for name, value := range meta {
		if strings.EqualFold(name, metadataContent) {
			return name, value
		}
	}
	return "", ""
}

// MetadataHotOf is the lineage of the Durable Object that has the cold rows, 0 for a file that is whole. It
// is for lists: a writer may drop it.
func MetadataHotOf(meta map[string]string) Lineage { return Lineage(metadataNumber(meta, metadataHot)) }

// MetadataFenced says whether metadata speaks of a fence. S3 metadata names are case-insensitive.
func MetadataFenced(meta map[string]string) bool {
	for name := range meta {
		if strings.EqualFold(name, metadataFence) {
			return true
		}
	}
	return false
}

// MetadataFencedBy says whether metadata speaks of exactly this fence.
func MetadataFencedBy(meta map[string]string, mark Mark) bool {
	for name, value := range meta {
		if strings.EqualFold(name, metadataFence) {
			return value == fmt.Sprintf("%d.%d", mark.Lin, mark.Non)
		}
	}
	return false
}

// MetadataMarked says whether metadata speaks of any mark.
func MetadataMarked(meta map[string]string) bool {
	return MetadataFenced(meta) || MetadataStamp(meta) != 0 || MetadataHotOf(meta) != 0
}

// HasForeignMetadata says whether there is metadata that is not of dbmigrate.
func HasForeignMetadata(meta map[string]string) bool {
	for name := range meta {
		if !strings.HasPrefix(strings.ToLower(name), "dbmigrate-") {
			return true
		}
	}
	return false
}

// MetadataStamp is the stamp that metadata speaks of, 0 for none.
func MetadataStamp(meta map[string]string) Stamp { return Stamp(metadataNumber(meta, metadataStamp)) }

// MetadataLifted is the lineage of a fence that was lifted without its Durable Object, 0 for none.
func MetadataLifted(meta map[string]string) Lineage {
	return Lineage(metadataNumber(meta, metadataLifted))
}

func metadataNumber(meta map[string]string, wanted string) uint32 {
	for name, value := range meta {
		if !strings.EqualFold(name, wanted) {
			continue
		}
		if stamp, err := strconv.ParseUint(value, 10, 32); err == nil {
			return uint32(stamp)
		}
	}
	return 0
}
