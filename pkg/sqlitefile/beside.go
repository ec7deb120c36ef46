package sqlitefile

import (
	"bytes"
	"fmt"
)

// What SQLite keeps beside a database is named after it.
const (
	LogSuffix     = "-wal"
	JournalSuffix = "-journal"
	// BesideBytes is how much of such an object tells what it is; a shorter one is nothing to SQLite.
	BesideBytes = 8
)

// How a write-ahead log and a rollback journal begin (sqlite.org/fileformat2.html, sections 3 and 4.1). A
// journal that was ended begins with zeros.
var (
	logMagics    = [][]byte{{0x37, 0x7f, 0x06, 0x82}, {0x37, 0x7f, 0x06, 0x83}}
	journalMagic = []byte{0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7}
)

// Beside judges an object by its name and its first BesideBytes: nil where SQLite would ignore it.
func Beside(key string, head []byte) *Finding {
	if bytes.HasPrefix(head, journalMagic) {
		return &Finding{
			Level:  Fixable,
			Reason: ReasonJournalBeside,
			Detail: fmt.Sprintf(
				"%s lies beside the file: it holds what a transaction changed that did not end, and the file may hold half of that transaction",
				key,
			),
			WayOut: "open both together with SQLite once, which takes the transaction back, upload the file alone, and delete the journal",
		}
	}
	for _, magic := range logMagics {
		if bytes.HasPrefix(head, magic) {
			return &Finding{
				Level:  Fixable,
				Reason: ReasonLogBeside,
				Detail: fmt.Sprintf(
					"%s lies beside the file: what was written to that log last is not in the file",
					key,
				),
				WayOut: "open both together with SQLite, PRAGMA wal_checkpoint(TRUNCATE), upload the file alone, and delete the log",
			}
		}
	}
	return nil
}
