package userdb

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// userVersionAt is where the header has PRAGMA user_version, a big-endian i32.
const userVersionAt = 60

// UserVersion is PRAGMA user_version in head, the first HeaderBytes of a database file.
func UserVersion(head []byte) int32 {
	if len(head) < HeaderBytes {
		return 0
	}
	return int32(binary.BigEndian.Uint32(head[userVersionAt:]))
}

// HeaderBytes is the size of the SQLite database header, which begins every database file
// (sqlite.org/fileformat2.html, section 1.3).
const HeaderBytes = 100

// MarkRandomBytes is how many random bytes the callers of WithFence and WithStamp supply: they make two marks
// of one claim differ, so that no two objects that dbmigrate writes have the same ETag. A fence uses the
// first six of them.
const MarkRandomBytes = 12

// Where the mark lies. Bytes 72-91 are reserved for expansion: SQLite ignores them, keeps them on ordinary
// writes, and clears them on VACUUM.
const (
	writeVersionAt = 18
	readVersionAt  = 19
	markAt         = 72
	markEnd        = 92
	fenceMagic     = "DMF1"
	splitMagic     = "DMS1" // a fence, too
	stampMagic     = "DMU1"
)

// poison in header byte 18 is a write version that no SQLite knows, so every SQLite opens the file read-only.
const poison = 255

// MarkKind says what a file's header carries.
type MarkKind uint8

// The marks of docs/cutover.md.
const (
	NoMark MarkKind = iota
	FenceMark
	StampMark
)

func (k MarkKind) String() string {
	switch k {
	case FenceMark:
		return "fence"
	case StampMark:
		return "stamp"
	}
	return "none"
}

// Mark is what a cutover left in a file's header.
type Mark struct {
	Kind  MarkKind
	Lin   Lineage // fence: the claim of the import that the Durable Object holds
	Non   Nonce   // fence: the claim of the command that wrote it
	Stamp Stamp   // stamp: the claim that gave the file back

	// Split marks a fence of split mode. Only a command that has told the Durable Object may lift it: what
	// the object concludes from the fence's absence would be wrong otherwise.
	Split bool

	// Orig18 and Orig19 are the file's write and read version without any fence: 1 for a rollback journal, 2
	// for a write-ahead log.
	Orig18, Orig19 byte

	// LiftedFrom stands in the metadata only: the lineage of a fence that was lifted while its Durable Object
	// could not be reached.
	LiftedFrom Lineage
	// HotOf, too: the lineage of the Durable Object that has the cold rows of this file.
	HotOf Lineage
}

// ErrNoHeader is returned for bytes that do not begin with a SQLite header.
var ErrNoHeader = errors.New("the bytes do not begin with a SQLite header")

// ParseMark reads the mark in head, the first HeaderBytes of a database file; more bytes may follow.
// Errors: ErrNoHeader; or a mark that names claim 0, which no command writes.
func ParseMark(head []byte) (Mark, error) {
	if Classify(head) != SQLiteFile {
		return Mark{}, ErrNoHeader
	}
	m := Mark{Orig18: head[writeVersionAt], Orig19: head[readVersionAt]}
	switch magic := string(head[markAt : markAt+4]); magic {
	case fenceMagic, splitMagic:
		m.Kind, m.Split = FenceMark, magic == splitMagic
		m.Lin = Lineage(numberAt(head, markAt+4))
		m.Non = Nonce(numberAt(head, markAt+8))
		m.Orig18, m.Orig19 = head[markAt+12], head[markAt+13]
		if m.Lin == 0 || m.Non == 0 {
			return Mark{}, fmt.Errorf(
				"read fence: lineage %d and nonce %d, and claims begin at 1",
				m.Lin,
				m.Non,
			)
		}
	case stampMagic:
		m.Kind = StampMark
		m.Stamp = Stamp(numberAt(head, markAt+4))
		if m.Stamp == 0 {
			return Mark{}, errors.New("read stamp: claim 0, and claims begin at 1")
		}
	}
	return m, nil
}

// Locked says whether a header carries the write version of a fence, which keeps every SQLite from writing
// the file.
func Locked(head []byte) bool { return len(head) > writeVersionAt && head[writeVersionAt] == poison }

// WithFence returns a copy of head that carries a fence and the poison. A fence that head already carries is
// replaced, and the versions that it remembers are kept. It panics without MarkRandomBytes of random or when
// a claim is 0: both are mistakes of the program. Errors: those of ParseMark.
func WithFence(head []byte, lin Lineage, non Nonce, random []byte) ([]byte, error) {
	return withFence(head, fenceMagic, lin, non, random)
}

// WithSplitFence is WithFence with a fence of split mode.
func WithSplitFence(head []byte, lin Lineage, non Nonce, random []byte) ([]byte, error) {
	return withFence(head, splitMagic, lin, non, random)
}

func withFence(head []byte, magic string, lin Lineage, non Nonce, random []byte) ([]byte, error) {
	old, err := ParseMark(head)
	if err != nil {
		return nil, fmt.Errorf("fence: %w", err)
	}
	mustMark(random, uint32(lin), uint32(non))
	fenced := append([]byte(nil), head...)
	mark := append([]byte(magic), 0, 0, 0, 0, 0, 0, 0, 0, old.Orig18, old.Orig19)
	binary.BigEndian.PutUint32(mark[4:], uint32(lin))
	binary.BigEndian.PutUint32(mark[8:], uint32(non))
	copy(fenced[markAt:markEnd], append(mark, random[:6]...))
	fenced[writeVersionAt] = poison
	return fenced, nil
}

// WithStamp returns a copy of head that carries a stamp; a fence in head is lifted and the original versions
// come back. It panics like WithFence. Errors: those of ParseMark.
func WithStamp(head []byte, stamp Stamp, random []byte) ([]byte, error) {
	old, err := ParseMark(head)
	if err != nil {
		return nil, fmt.Errorf("stamp: %w", err)
	}
	mustMark(random, uint32(stamp))
	stamped := append([]byte(nil), head...)
	mark := append([]byte(stampMagic), 0, 0, 0, 0)
	binary.BigEndian.PutUint32(mark[4:], uint32(stamp))
	copy(stamped[markAt:markEnd], append(mark, random[:12]...))
	stamped[writeVersionAt], stamped[readVersionAt] = old.Orig18, old.Orig19
	return stamped, nil
}

// WithoutMark returns a copy of head as it was before any mark: bytes 72-91 zero, as SQLite itself writes
// them, the versions restored. Errors: those of ParseMark.
func WithoutMark(head []byte) ([]byte, error) {
	old, err := ParseMark(head)
	if err != nil {
		return nil, fmt.Errorf("remove mark: %w", err)
	}
	plain := append([]byte(nil), head...)
	if old.Kind != NoMark {
		clear(plain[markAt:markEnd])
	}
	plain[writeVersionAt], plain[readVersionAt] = old.Orig18, old.Orig19
	return plain, nil
}

func numberAt(head []byte, at int) uint32 { return binary.BigEndian.Uint32(head[at:]) }

func mustMark(random []byte, claims ...uint32) {
	if len(random) < MarkRandomBytes {
		panic(fmt.Sprintf("userdb: a mark needs %d random bytes, not %d", MarkRandomBytes, len(random)))
	}
	for _, c := range claims {
		if c == 0 {
			panic("userdb: a mark with claim 0")
		}
	}
}
