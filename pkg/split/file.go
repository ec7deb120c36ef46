package split

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/dbmigrate/dbmigrate/internal/capi"
	"github.com/dbmigrate/dbmigrate/internal/sqltext"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// sequenceTable is where SQLite keeps the numbers of AUTOINCREMENT.
const sequenceTable = "sqlite_sequence"

// rollbackJournal are the header's versions with which SQLite writes a file without a write-ahead log beside
// it.
var rollbackJournal = versions{1, 1}

// copyUnmarked copies a database file to a new one without fence, stamp or write-ahead log.
func copyUnmarked(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	head := make([]byte, userdb.HeaderBytes)
	if _, err := io.ReadFull(source, head); err != nil {
		return fmt.Errorf("read header of %s: %w", from, err)
	}
	if head, err = userdb.WithoutMark(head); err != nil {
		return err
	}
	copied, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, copied.Close()) }()
	rollbackJournal.put(head)
	if _, err := copied.Write(head); err != nil {
		return err
	}
	_, err = io.Copy(copied, source)
	return err
}

// versionsAt is where the versions lie in the header.
const versionsAt = 18

func (v versions) put(head []byte) { copy(head[versionsAt:], v[:]) }

// write gives a finished file its versions.
func (v versions) write(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteAt(v[:], versionsAt)
	return errors.Join(err, file.Close())
}

// Where the file change counter lies in the header, and the number that it had when SQLite last wrote the
// header (sqlite.org/fileformat2.html, 1.3.6).
const (
	changeCounterAt   = 24
	versionValidForAt = 92
)

// outnumber gives a part a file change counter beyond that of the file it was made from. SQLite only ever
// counts up, so no file of the user will be byte for byte an earlier one. A message about the earlier one,
// which is still under way, must not match.
func outnumber(source, part string) error {
	head := make([]byte, userdb.HeaderBytes)
	from, err := os.Open(source)
	if err != nil {
		return err
	}
	_, err = io.ReadFull(from, head)
	if err := errors.Join(err, from.Close()); err != nil {
		return err
	}
	next := binary.BigEndian.AppendUint32(nil, binary.BigEndian.Uint32(head[changeCounterAt:])+1)
	to, err := os.OpenFile(part, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	_, counted := to.WriteAt(next, changeCounterAt)
	_, valid := to.WriteAt(next, versionValidForAt)
	return errors.Join(counted, valid, to.Close())
}

// openWork opens a working copy with a second one attached under the given name: no journal, since a copy
// that goes wrong is thrown away.
func openWork(path, second, name string) (*capi.Conn, error) {
	if err := capi.CheckAlone(second); err != nil {
		return nil, err
	}
	conn, err := capi.Open(path, capi.ReadWrite)
	if err != nil {
		return nil, err
	}
	conn.Limit(sqlite3.SQLITE_LIMIT_ATTACHED, 2) // the second copy, and what VACUUM INTO writes
	if err := prepareWork(conn, second, name); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

func prepareWork(conn *capi.Conn, second, name string) error {
	if err := conn.Exec("ATTACH ? AS "+name, text(second)); err != nil {
		return err
	}
	var pragmas []string
	for _, schema := range []string{"main", name} {
		for _, pragma := range []string{"journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE"} {
			pragmas = append(pragmas, "PRAGMA "+schema+"."+pragma)
		}
	}
	return execAll(conn, pragmas...)
}

// makeSequence makes an empty sqlite_sequence in a database that has none, in the only way that SQLite leaves
// open.
func makeSequence(conn *capi.Conn, s *shape) error {
	helper := "main." + sqltext.Quote(s.freeName("dbmigrate_helper"))
	return execAll(
		conn,
		"CREATE TABLE "+helper+"(id INTEGER PRIMARY KEY AUTOINCREMENT)",
		"DROP TABLE "+helper,
	)
}
