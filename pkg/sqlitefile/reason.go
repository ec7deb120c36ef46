package sqlitefile

import (
	"fmt"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Reason is a stable code for why a database cannot be moved as it is, for programs and for reports over a
// fleet.
type Reason string

// The reasons. Each stands in a Finding with the object that it is about; ways out are in Finding.WayOut.
const (
	// The file itself.
	ReasonEmptyFile       Reason = "empty-file"      // no byte at all
	ReasonNotSQLite       Reason = "not-sqlite"      // no SQLite header
	ReasonTombstone       Reason = "tombstone"       // what gc leaves of a file
	ReasonEncrypted       Reason = "encrypted"       // no header, and bytes that look random
	ReasonNewerFormat     Reason = "newer-format"    // a format version that SQLite 3 does not know, and no fence
	ReasonTruncated       Reason = "truncated"       // shorter than its header says
	ReasonDamaged         Reason = "damaged"         // SQLite's integrity check
	ReasonIndexComputed   Reason = "index-computed"  // a warning: another version of SQLite computed an index
	ReasonWALLeftBehind   Reason = "wal-left-behind" // its content lies in a write-ahead log that was not uploaded
	ReasonWALMode         Reason = "wal-mode"        // a warning: writes may lie in such a log
	ReasonLogBeside       Reason = "wal-beside"      // such a log lies beside the file in the bucket
	ReasonJournalBeside   Reason = "journal-beside"  // a hot journal does
	ReasonDatabaseTooBig  Reason = "database-too-large"
	ReasonTooCostly       Reason = "too-costly"       // to check it takes more time or memory than a file of this size may
	ReasonContentEncoding Reason = "content-encoding" // the object says of itself that its bytes are encoded

	// The schema.
	ReasonTooManyColumns  Reason = "too-many-columns"
	ReasonStatementLength Reason = "statement-too-long"
	ReasonReservedName    Reason = "reserved-name"
	ReasonModule          Reason = "module"            // a virtual table module that a Durable Object does not have
	ReasonTokenizer       Reason = "tokenizer"         // an FTS5 tokenizer likewise
	ReasonFunction        Reason = "function"          // a function likewise, anywhere in the schema
	ReasonCollation       Reason = "collation"         // a collating sequence likewise
	ReasonCompoundSelect  Reason = "compound-select"   // too many terms in UNION, EXCEPT, INTERSECT
	ReasonExpressionDepth Reason = "expression-depth"  // too deep an expression
	ReasonTriggerDepth    Reason = "trigger-depth"     // too long a chain of triggers and foreign key actions
	ReasonLikePattern     Reason = "like-pattern"      // too long a pattern of LIKE or GLOB
	ReasonRollback        Reason = "conflict-rollback" // a warning: a conflict is answered with ROLLBACK
	ReasonSchemaTooBig    Reason = "schema-too-large"  // the CREATE texts together
	ReasonSchemaRefused   Reason = "schema-refused"    // anything else for which SQLite refuses a CREATE
	ReasonTextChanges     Reason = "text-changes"      // SQLite would store another CREATE text than the file has
	ReasonTextEncoding    Reason = "text-encoding"     // a name or a CREATE text that is not valid in the file's encoding
	ReasonContentless     Reason = "fts5-contentless"  // the index cannot be rebuilt
	ReasonFTS5Locale      Reason = "fts5-locale"       // locales are stored beside the text and not readable by SQL
	ReasonFTS5OutOfStep   Reason = "fts5-out-of-step"  // the index does not match its content
	ReasonShadowName      Reason = "shadow-name"       // an ordinary table with the name of an FTS5 table's part
	ReasonHiddenRowid     Reason = "hidden-rowid"      // columns named rowid, oid and _rowid_ hide the rowid
	ReasonStoredEncoding  Reason = "stored-encoding"   // a STORED column in a UTF-16 file
	ReasonSchemaFormat    Reason = "schema-format"     // a descending key in an old schema format
	ReasonStatistics      Reason = "statistics"        // sqlite_stat4 or older statistics, which a Durable Object cannot hold

	// The rows.
	ReasonRowTooLarge    Reason = "row-too-large"
	ReasonValueChanges   Reason = "value-changes"   // its column's affinity would change the value on insert
	ReasonNotNull        Reason = "not-null"        // NULL in a NOT NULL column
	ReasonStrictType     Reason = "strict-type"     // a value that a STRICT table refuses
	ReasonStoredComputed Reason = "stored-computed" // a STORED column holds what another version of SQLite computed
	ReasonInvalidText    Reason = "invalid-text"    // text that is not valid in the file's UTF-16
	// Rows of a UTF-16 file that a constraint over a computed column refuses in UTF-8.
	ReasonComputedEncoding Reason = "computed-encoding"
)

// Reasons lists every code, in the order of docs/preflight.md. Codes are promised: new ones are added, none
// is renamed or removed.
func Reasons() []Reason {
	return []Reason{
		ReasonEmptyFile, ReasonNotSQLite, ReasonTombstone, ReasonEncrypted, ReasonNewerFormat, ReasonTruncated, ReasonDamaged, ReasonIndexComputed, ReasonWALLeftBehind, ReasonWALMode, ReasonLogBeside, ReasonJournalBeside, ReasonDatabaseTooBig, ReasonTooCostly, ReasonContentEncoding,
		ReasonTooManyColumns, ReasonStatementLength, ReasonReservedName, ReasonModule, ReasonTokenizer, ReasonFunction, ReasonCollation, ReasonCompoundSelect, ReasonExpressionDepth,
		ReasonTriggerDepth, ReasonLikePattern, ReasonRollback, ReasonSchemaTooBig, ReasonSchemaRefused, ReasonTextChanges, ReasonTextEncoding, ReasonContentless, ReasonFTS5Locale, ReasonFTS5OutOfStep, ReasonShadowName, ReasonHiddenRowid, ReasonStoredEncoding, ReasonSchemaFormat, ReasonStatistics,
		ReasonRowTooLarge, ReasonValueChanges, ReasonNotNull, ReasonStrictType, ReasonStoredComputed, ReasonInvalidText, ReasonComputedEncoding,
	}
}

// Level says how grave a finding is.
type Level string

// The levels, from the least to the gravest. Only Blocked and Fixable keep a database from being moved.
const (
	Ready   Level = "ready"
	Warning Level = "warning" // can be moved, but a person should know
	Fixable Level = "fixable" // an operation without loss makes it ready: VACUUM, checkpoint, rebuild
	Blocked Level = "blocked" // schema or data must change first
)

func (l Level) rank() int {
	switch l {
	case Warning:
		return 1
	case Fixable:
		return 2
	case Blocked:
		return 3
	}
	return 0
}

// Finding is one reason, with where and what to do.
type Finding struct {
	Level  Level  `json:"level"`
	Reason Reason `json:"reason"`
	Object string `json:"object,omitempty"` // table, index, view or trigger
	Column string `json:"column,omitempty"`
	Key    string `json:"key,omitempty"`   // of the first row concerned
	Count  int64  `json:"count,omitempty"` // of rows concerned
	Detail string `json:"detail"`
	WayOut string `json:"wayOut,omitempty"`
}

// Error describes the finding in one line, without the way out.
func (f *Finding) Error() string {
	var where []string
	for _, part := range []struct{ label, value string }{{"", f.Object}, {"column ", f.Column}, {"row ", f.Key}} {
		if part.value != "" {
			where = append(where, part.label+part.value)
		}
	}
	text := f.Detail
	if len(where) > 0 {
		text = strings.Join(where, ", ") + ": " + text
	}
	if f.Count > 1 {
		text += fmt.Sprintf(" (and %d more rows)", f.Count-1)
	}
	return text
}

// kind is the error kind that the finding has when it stops an operation.
func (f *Finding) kind() userdb.Kind {
	switch f.Reason {
	case ReasonEmptyFile, ReasonNotSQLite, ReasonTombstone, ReasonEncrypted, ReasonNewerFormat:
		return userdb.NotSQLite
	case ReasonTruncated, ReasonDamaged, ReasonWALLeftBehind, ReasonLogBeside, ReasonJournalBeside:
		return userdb.Damaged
	case ReasonTooCostly:
		return userdb.TooCostly
	}
	return userdb.Blocked
}

// refuse makes an error of a finding; errors.As finds the *Finding in it.
func refuse(op, thing string, f *Finding) error {
	return &userdb.Error{Op: op, Thing: thing, Kind: f.kind(), Err: f, Hint: f.WayOut}
}
