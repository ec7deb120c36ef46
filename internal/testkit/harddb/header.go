package harddb

import (
	"fmt"
	"os"
)

// The names of encodings as PRAGMA encoding has them.
const (
	utf8Name    = "UTF-8"
	utf16leName = "UTF-16le"
	utf16beName = "UTF-16be"
)

// header sets what lies in the first page of the file.
func (b *builder) header() {
	encoding := pick(b, []string{utf8Name, utf8Name, utf8Name, utf16leName, utf16beName})
	if b.encoding == "" {
		b.encoding = encoding
	}
	b.execf("PRAGMA page_size = %d", 512<<b.random.IntN(8))
	b.execf("PRAGMA encoding = '%s'", b.encoding)
	b.execf("PRAGMA auto_vacuum = %d", b.random.IntN(3))
	b.execf("PRAGMA user_version = %d", int32(b.random.Uint32()))
	b.execf("PRAGMA application_id = %d", int32(b.random.Uint32()))
}

// versionsAt is where the header has the format versions, which are 2 in write-ahead-log mode.
const versionsAt = 18

func (b *builder) patchFile() error {
	content, err := os.ReadFile(b.path)
	if err != nil {
		return err
	}
	if b.wal {
		if len(content) < 100 {
			return fmt.Errorf("no header to patch")
		}
		content[versionsAt], content[versionsAt+1] = 2, 2
	}
	for _, patch := range b.patches {
		content = patch(content)
	}
	return os.WriteFile(b.path, content, 0o600)
}
