package sqlitefile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Where fields lie in the database header (sqlite.org/fileformat2.html, section 1.3). All are big-endian.
const (
	pageSizeAt        = 16
	writeVersionAt    = 18
	readVersionAt     = 19
	reservedAt        = 20
	changeCounterAt   = 24
	pageCountAt       = 28
	freePagesAt       = 36
	schemaCookieAt    = 40
	schemaFormatAt    = 44
	largestRootAt     = 52
	encodingAt        = 56
	userVersionAt     = 60
	incrementalAt     = 64
	applicationIDAt   = 68
	versionValidForAt = 92
)

// DescendingFormat is the first schema format that heeds DESC in an index.
const DescendingFormat = 4

// walVersion in bytes 18 and 19 means a write-ahead log.
const walVersion = 2

// header is the database header with what follows from it and from the file's size.
type header struct {
	raw  [userdb.HeaderBytes]byte
	mark userdb.Mark
	size int64 // of the file
}

func (h *header) u32(at int) uint32 { return binary.BigEndian.Uint32(h.raw[at:]) }

// readHeader reads and judges the header of the file at path without trusting it. What is wrong with it comes
// as a Finding in the error.
func readHeader(path string) (*header, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	h := &header{size: info.Size()}
	n, err := io.ReadFull(f, h.raw[:])
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	finding := h.judge(h.raw[:n])
	if finding != nil && finding.Reason == ReasonWALLeftBehind && h.u32(schemaCookieAt) != 0 {
		zeros, err := onlyZeros(f, h.pages()*int64(h.pageSize()))
		if err != nil {
			return nil, err
		}
		if zeros {
			finding = nil // room that was made ahead, not pages of a checkpoint
		}
	}
	if finding != nil {
		return nil, refuse("open", path, finding)
	}
	return h, nil
}

// Pages reads and judges the header of the file at path; nothing else of it need be there. size is that of
// a page, usable how much of one is for content. What is wrong with the header comes as a Finding in the
// error.
func Pages(path string) (size, usable int, err error) {
	h, err := readHeader(path)
	if err != nil {
		return 0, 0, err
	}
	return h.pageSize(), h.pageSize() - int(h.raw[reservedAt]), nil
}

// WALMode says whether the file is in write-ahead-log mode.
func (f *File) WALMode() bool { return f.head.walMode() }

// UsedBytes is what the content takes without free pages.
func (f *File) UsedBytes() int64 { return f.head.usedBytes() }

// Encoding is that of all texts: UTF-8, UTF-16le or UTF-16be.
func (f *File) Encoding() string { return f.head.encoding() }

// SchemaFormat is what the file's tables and indexes may use of SQLite. Those of before DescendingFormat
// ignore DESC.
func (f *File) SchemaFormat() uint32 { return f.head.u32(schemaFormatAt) }

// onlyZeros says whether nothing but zeros stands in the file from offset on.
func onlyZeros(f *os.File, offset int64) (bool, error) {
	block, none := make([]byte, 64<<10), make([]byte, 64<<10)
	for {
		n, err := f.ReadAt(block, offset)
		if !bytes.Equal(block[:n], none[:n]) {
			return false, nil
		}
		offset += int64(n)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return true, err
		}
	}
}

func (h *header) judge(head []byte) *Finding {
	switch userdb.Classify(head) {
	case userdb.EmptyFile:
		return &Finding{Level: Blocked, Reason: ReasonEmptyFile, Detail: "the object has no bytes",
			WayOut: "delete it, or let the application create its tables first"}
	case userdb.TombstoneFile:
		return &Finding{
			Level:  Blocked,
			Reason: ReasonTombstone,
			Detail: "the object is a tombstone: gc removed the file after its migration",
		}
	case userdb.UnknownFile:
		return h.judgeUnknown(head)
	}
	mark, err := userdb.ParseMark(head)
	if err != nil {
		return &Finding{
			Level:  Blocked,
			Reason: ReasonDamaged,
			Detail: err.Error(),
			WayOut: "restore the object from a copy",
		}
	}
	h.mark = mark
	return h.judgeFields()
}

func (h *header) judgeUnknown(head []byte) *Finding {
	if looksEncrypted(head, h.size) {
		return &Finding{
			Level:  Blocked,
			Reason: ReasonEncrypted,
			Detail: "no SQLite header, and the bytes look encrypted",
			WayOut: "decrypt it to a plain SQLite file first",
		}
	}
	return &Finding{
		Level:  Blocked,
		Reason: ReasonNotSQLite,
		Detail: fmt.Sprintf("the object begins with %.24q, which is no SQLite header", head),
		WayOut: "check the key layout: is this really the user's database?",
	}
}

// looksEncrypted guesses: whole pages, and a beginning with as many different bytes as random ones have
// (about 83 of 100).
func looksEncrypted(head []byte, size int64) bool {
	distinct := map[byte]bool{}
	for _, b := range head {
		distinct[b] = true
	}
	return len(head) == userdb.HeaderBytes && size%512 == 0 && len(distinct) > 65
}

func (h *header) judgeFields() *Finding {
	if h.mark.Orig18 > walVersion || h.mark.Orig19 > walVersion || h.mark.Orig18 == 0 || h.mark.Orig19 == 0 {
		return &Finding{Level: Blocked, Reason: ReasonNewerFormat,
			Detail: fmt.Sprintf(
				"format versions %d and %d, and SQLite 3 knows 1 and 2",
				h.mark.Orig18,
				h.mark.Orig19,
			),
			WayOut: "find out which program wrote it; no fence of dbmigrate is in it"}
	}
	size := h.pageSize()
	if size < 512 || size > 65536 || size&(size-1) != 0 {
		return &Finding{
			Level:  Blocked,
			Reason: ReasonDamaged,
			Detail: fmt.Sprintf("a page size of %d", size),
			WayOut: "restore the object from a copy",
		}
	}
	if want := h.pages() * int64(size); h.size < max(want, int64(size)) {
		return &Finding{
			Level:  Blocked,
			Reason: ReasonTruncated,
			Detail: fmt.Sprintf("%d bytes, and the header says %d", h.size, want),
			WayOut: "upload the whole file, or restore it from a copy",
		}
	}
	return h.judgeLog()
}

// judgeLog finds what can be found of a write-ahead log that stayed behind: the file alone does not show that
// one existed.
func (h *header) judgeLog() *Finding {
	if !h.walMode() {
		return nil
	}
	finding := &Finding{
		Level:  Fixable,
		Reason: ReasonWALLeftBehind,
		WayOut: "checkpoint (PRAGMA wal_checkpoint(TRUNCATE)) or close the database before uploading it",
	}
	switch pages := h.pages(); {
	case h.u32(schemaCookieAt) == 0:
		finding.Detail = "write-ahead-log mode, and the file itself was never given a table: its content lies in a -wal file"
	case pages > 0 && h.size > pages*int64(h.pageSize()):
		finding.Detail = fmt.Sprintf(
			"write-ahead-log mode, and %d bytes where the header says %d: a checkpoint did not end",
			h.size,
			pages*int64(h.pageSize()),
		)
		finding.WayOut = "upload the file with its -wal checkpointed; where there is no -wal any more and the content is right, VACUUM rewrites the file"
	default:
		return nil
	}
	return finding
}

func (h *header) pageSize() int {
	if size := binary.BigEndian.Uint16(h.raw[pageSizeAt:]); size != 1 {
		return int(size)
	}
	return 65536
}

// pages is the number of pages that the header states, and 0 where that statement is not valid (written by
// SQLite before 3.7).
func (h *header) pages() int64 {
	if h.u32(changeCounterAt) != h.u32(versionValidForAt) {
		return 0
	}
	return int64(h.u32(pageCountAt))
}

func (h *header) walMode() bool { return h.mark.Orig19 == walVersion || h.mark.Orig18 == walVersion }

func (h *header) encoding() string {
	switch h.u32(encodingAt) {
	case 2:
		return UTF16le
	case 3:
		return UTF16be
	}
	return UTF8
}

// usedBytes is what the content takes without free pages.
func (h *header) usedBytes() int64 {
	return h.size - int64(h.u32(freePagesAt))*int64(h.pageSize())
}

func (h *header) autoVacuum() int {
	switch {
	case h.u32(largestRootAt) == 0:
		return 0
	case h.u32(incrementalAt) == 0:
		return 1
	}
	return 2
}

// message is the header as the protocol carries it, with the versions as they are without a fence.
func (h *header) message(internal []string) wire.Header {
	return wire.Header{
		PageSize: h.pageSize(), Encoding: h.encoding(), AutoVacuum: h.autoVacuum(), Internal: internal,
		UserVersion: int32(h.u32(userVersionAt)), ApplicationID: int32(h.u32(applicationIDAt)),
		WriteVersion: int(h.mark.Orig18), ReadVersion: int(h.mark.Orig19),
	}
}
