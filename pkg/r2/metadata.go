package r2

import (
	"fmt"
	"mime"
	"strings"
	"unicode/utf8"
)

// MaxMetadataBytes is R2's limit for the names and values of one object's metadata together.
const MaxMetadataBytes = 8192

// checkMetadata refuses what would arrive changed or not at all: names travel as HTTP header names (in any
// case, so only lower case comes back unchanged), values as header values (trimmed). A value beyond ASCII
// goes back as it came: encoded by RFC 2047 from R2, which decodes it again, and raw from a server that sends
// it so.
func checkMetadata(metadata map[string]string) error {
	total := 0
	for name, value := range metadata {
		total += len(name) + decodedBytes(value)
		if name == "" || strings.ContainsFunc(name, notInName) {
			return fmt.Errorf("metadata name %q: only a-z, 0-9 and %s are allowed", name, nameMarks)
		}
		if strings.ContainsFunc(value, notPrintable) || strings.TrimSpace(value) != value {
			return fmt.Errorf(
				"metadata %s: the value has a control character or a space at an end, or is not UTF-8",
				name,
			)
		}
	}
	if total > MaxMetadataBytes {
		return fmt.Errorf("metadata has %d bytes, R2 takes %d", total, MaxMetadataBytes)
	}
	return nil
}

// nameMarks are what a header name may hold beside letters and digits (RFC 9110, 5.6.2).
const nameMarks = "!#$%&'*+-.^_`|~"

func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune(nameMarks, r)
}

func notPrintable(r rune) bool { return r < ' ' || r == utf8.RuneError || r >= 0x7f && r < 0xa0 }

// decodedBytes is what R2 counts: the text that RFC 2047 encodes, which may be a third of what travels.
func decodedBytes(value string) int {
	text, err := new(mime.WordDecoder).DecodeHeader(value)
	if err != nil {
		return len(value)
	}
	return len(text)
}
