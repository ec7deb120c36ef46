// Package wire is the protocol between dbmigrate and the Worker (docs/wire-format.md): messages, values, row
// batches, digests, error kinds, limits. It does no I/O.
package wire

import (
	"encoding/json"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Version is the newest protocol version that this package speaks, OldestVersion the oldest: that before it,
// where there is one (N-1, docs/wire-format.md).
const (
	Version       = 1
	OldestVersion = 1
)

// VersionHeader says in a hello which version is the newest that the client speaks. The Worker answers with
// the newest that both speak.
const VersionHeader = "x-dbmigrate-protocol"

// Prefix is the path under which the Worker serves the admin routes.
const Prefix = "/_dbmigrate/v1"

// Limits are what the platform allows, as the Worker states them; sizes in bytes.
type Limits struct {
	BatchBytes     int64 `json:"batchBytes"`
	FrameBytes     int64 `json:"frameBytes"`
	CellBytes      int64 `json:"cellBytes"`
	Columns        int   `json:"columns"`
	StatementBytes int64 `json:"statementBytes"`
	DatabaseBytes  int64 `json:"databaseBytes"`
}

// DefaultLimits are those of Durable Objects with SQLite
// (developers.cloudflare.com/durable-objects/platform/limits).
var DefaultLimits = Limits{
	BatchBytes:     8 << 20,
	FrameBytes:     1_000_000,
	CellBytes:      2_000_000,
	Columns:        100,
	StatementBytes: 100_000,
	DatabaseBytes:  10_000_000_000,
}

// Hello is the first answer of a Worker.
type Hello struct {
	Protocol int    `json:"protocol"`
	Worker   string `json:"worker"`
	// VersionID is Cloudflare's id of the Worker version that answers, a new one for each deploy. It is ""
	// where no binding tells it to the Worker.
	VersionID string `json:"versionId,omitempty"`
	NowMs     int64  `json:"now"`
	Store     string `json:"store"`
	Layout    string `json:"layout"` // of the Worker's router, "" from one that does not say
	Limits    Limits `json:"limits"`
	// MarkBytes is the largest file into which the Worker puts a fence (MarkRequest), 0 where it does not.
	MarkBytes int64 `json:"markBytes"`
	// FenceBytes is the largest file that the Worker fences as it is by then (FenceRequest), 0 where it does
	// not.
	FenceBytes int64 `json:"fenceBytes"`
	// SnapshotBytes is the largest Durable Object that answers with all that it holds in one request; 0 where
	// none does.
	SnapshotBytes int64 `json:"snapshotBytes"`
	// Composites names the composite requests that the Worker takes (composite.go), none from one of before.
	Composites []string `json:"composites"`
	// Names says that the Worker tells what S3 would not carry of an object (the route names).
	Names bool `json:"names"`
	// Split says that the Worker knows split mode (docs/split.md), and is mounted with it.
	Split bool `json:"split"`
	// IDs is of how many users' Durable Objects the Worker tells the ids in one request; 0: of none.
	IDs int `json:"ids"`
	// Object is what a real Durable Object said; nil from a Worker that asks none.
	Object *ObjectReport `json:"object"`
	// SavesFiles is false where the router leaves the files to an old path of the application; nil from a
	// Worker that does not say.
	SavesFiles *bool `json:"savesFiles"`
	// LocationHint says that the admin routes place new objects themselves.
	LocationHint bool `json:"locationHint"`
	// RouterSavesFiles is what a router of the answering isolate was told; nil where it has made none yet.
	// SavesFiles is what the admin routes were told.
	RouterSavesFiles *bool `json:"routerSavesFiles"`
	// RouterParts are the optional parts of the routers that the answering isolate has made; nil before there
	// was one, and from a Worker that has all.
	RouterParts []string `json:"routerParts"`
	// Through is what the router says of the user that the hello named. It is nil where none was named, or
	// where the answering isolate has made no router.
	Through *ThroughReport `json:"through"`
}

// ThroughReport says whether the router answered one read of a user, as the application asks it.
type ThroughReport struct {
	User    userdb.UserID `json:"user"`
	Answers bool          `json:"answers"`
	Kind    string        `json:"kind"` // of the error
	Message string        `json:"message"`
}

// SavesDiffer says that the router and the admin routes were mounted with different values of savesFiles.
func (h Hello) SavesDiffer() bool {
	return h.SavesFiles != nil && h.RouterSavesFiles != nil && *h.SavesFiles != *h.RouterSavesFiles
}

// ObjectReport says whether a Durable Object answered one RPC call with the result of one SQL statement.
type ObjectReport struct {
	Answers bool   `json:"answers"`
	Worker  string `json:"worker"` // the version of the code that the object runs
	// Jurisdiction is where the object's data has to stay: NoJurisdiction, or "" from a Worker that does not
	// say.
	Jurisdiction string `json:"jurisdiction"`
	// Parts are the optional parts that the object is mounted with; nil from a Worker that has all.
	Parts   []string `json:"parts"`
	Cause   string   `json:"cause"`   // one of the Probe constants, where it does not answer
	Message string   `json:"message"` // the platform's words for it
}

// The optional parts of a Worker.
const (
	PartLive  = "live"
	PartSplit = "split"
)

// NoJurisdiction is that of an object that may be anywhere. UnknownJurisdiction is told where the platform
// does not say.
const (
	NoJurisdiction      = "none"
	UnknownJurisdiction = "unknown"
)

// KnownJurisdiction is "" where nobody knows.
func (o ObjectReport) KnownJurisdiction() string {
	if o.Jurisdiction == UnknownJurisdiction {
		return ""
	}
	return o.Jurisdiction
}

// Why no object answers.
const (
	ProbeNoRPC      = "rpc-missing"
	ProbeNoSQLite   = "no-sqlite"
	ProbeWrongClass = "wrong-class"
	ProbeThrew      = "threw" // the application's own code in the object
	ProbeFailed     = "failed"
)

// FileSeen is what the Worker sees of a user's file.
type FileSeen struct {
	// Names are those of metadata and headers that S3 would not carry as they are.
	Names []string `json:"names"`
	// File is the version; nil: the Worker is of before, and does not tell.
	File *SeenVersion `json:"file"`
}

// SeenVersion is one version of an object.
type SeenVersion struct {
	ETag     string `json:"etag"`     // without quotes; "": there is no object
	Uploaded int64  `json:"uploaded"` // Unix milliseconds
}

// MarkRequest asks the Worker to replace a user's file by itself under a header with a fence, if it still is
// the version that was read.
type MarkRequest struct {
	ETag     string            `json:"etag"`     // of that version, without quotes
	Modified int64             `json:"modified"` // when it was written, Unix seconds: another bucket may hold the same bytes
	Head     []byte            `json:"head,omitempty"`
	MD5      string            `json:"md5"`      // of the whole file under that header, hex
	Metadata map[string]string `json:"metadata"` // what the object's metadata says of the mark; the rest stays
	// Tombstone stands in place of Head: it replaces a tombstone, or, where ETag is empty, an object that is
	// not there.
	Tombstone []byte `json:"tombstone,omitempty"`
}

// FenceRequest asks the Worker to fence a user's file as it is by then, on condition that gen is the last
// claim.
type FenceRequest struct {
	Gen      userdb.Claim      `json:"gen"`
	Split    bool              `json:"split,omitempty"`
	Metadata map[string]string `json:"metadata"` // as in MarkRequest
}

// Fenced is the answer: the object under the fence, and the version that it was made from. ETags are without
// quotes.
type Fenced struct {
	ETag   string `json:"etag"`
	Source string `json:"source"`
}

// Marked is the answer to a MarkRequest.
type Marked struct {
	ETag string `json:"etag"` // without quotes
}

// Intent is what a claim is for.
type Intent string

// The intents.
const (
	IntentMigrate  Intent = "migrate"
	IntentRollback Intent = "rollback"
	IntentSplit    Intent = "split"
)

// Outcome tells a command what its claim found and what to do next.
type Outcome string

// The outcomes (docs/cutover.md, section 2).
const (
	OutcomeImport Outcome = "import"
	OutcomeActive Outcome = "active"
	OutcomeResume Outcome = "resume"
	OutcomeExport Outcome = "export"
	OutcomeLift   Outcome = "lift"
)

// The outcomes of split mode: a rollback finds a split that may or may not have reached the file, or one that
// did.
const (
	OutcomeUndo  Outcome = "undo"
	OutcomeMerge Outcome = "merge"
)

// Status is the state of a user's Durable Object.
type Status struct {
	Phase              userdb.Phase   `json:"phase"`
	Gen                userdb.Claim   `json:"gen"`
	Lin                userdb.Lineage `json:"lin"`
	Intent             Intent         `json:"intent"`
	Writes             int64          `json:"writes"`
	WritesAtActivation int64          `json:"writesAtActivation"`
	DatabaseBytes      int64          `json:"databaseBytes"`
	Batches            Applied        `json:"batches"`
	Receipt            *Receipt       `json:"receipt"`
	// Thaws is how many rows the application wants back in the file, 0 where the Worker cannot
	// thaw.
	Thaws int64 `json:"thaws"`
	// Opened is the claim under which the whole database last began to serve; 0: it never did, or an older
	// Worker tells nothing.
	Opened userdb.Claim `json:"opened,omitempty"`
	// Clearing: content that was given up is not deleted to the end; reset or release again goes on with it.
	Clearing bool `json:"clearing,omitempty"`
	// UserVersion is PRAGMA user_version of the content; nil where there is none, and from an older Worker.
	UserVersion *int32 `json:"userVersion,omitempty"`
	// Birth says that the newest claim is one of a new user's first write that has not come to its end.
	Birth bool `json:"birth,omitempty"`
}

// Thaw names rows of a split user that the application wants back in the file.
type Thaw struct {
	Table   string   `json:"table"`
	Columns []string `json:"columns"` // of the table's primary key
	Keys    []Key    `json:"keys"`    // the values of these columns, for each row
}

// Thaws are all of them.
type Thaws struct {
	Thaws []Thaw `json:"thaws"`
}

// Applied lists the batches that a Durable Object holds, as closed ranges of sequence numbers.
type Applied struct {
	Ranges [][2]int64 `json:"applied"`
}

// ClaimRequest asks for a claim; Seen is the gen that the caller saw (compare-and-set). ID is random: the
// same request again, after an answer that was lost, is the same claim and gets the same answer while no
// other came after it.
type ClaimRequest struct {
	Intent Intent       `json:"intent"`
	Seen   userdb.Claim `json:"seen"`
	ID     string       `json:"id"`
}

// Claimed answers a claim.
type Claimed struct {
	Status
	Outcome Outcome `json:"outcome"`
}

// Header carries what a Durable Object cannot hold in its own database header.
type Header struct {
	PageSize      int      `json:"pageSize"`
	Encoding      string   `json:"encoding"`
	UserVersion   int32    `json:"userVersion"`
	ApplicationID int32    `json:"applicationId"`
	AutoVacuum    int      `json:"autoVacuum"`
	WriteVersion  int      `json:"writeVersion"`
	ReadVersion   int      `json:"readVersion"`
	Internal      []string `json:"internal"`
}

// Object is one entry of sqlite_schema that has a CREATE text.
type Object struct {
	Type  string `json:"type"`
	Name  string `json:"name"`
	Table string `json:"table"`
	SQL   string `json:"sql"`
}

// How a virtual table gets its content.
const (
	LoadRows    = "rows"
	LoadRebuild = "rebuild"
)

// Virtual says how a virtual table is filled, and its FTS5 options as (name, value) pairs.
type Virtual struct {
	Name   string     `json:"name"`
	Load   string     `json:"load"`
	Config [][2]Value `json:"config,omitempty"`
}

// Schema is everything about a database but its rows.
type Schema struct {
	Header  Header    `json:"header"`
	Objects []Object  `json:"objects"`
	Virtual []Virtual `json:"virtual"`
}

// RowsAnswer says whether a batch was applied now (true) or had been before (false).
type RowsAnswer struct {
	Seq     int64 `json:"seq"`
	Applied bool  `json:"applied"`
}

// FinishAnswer says whether all indexes, triggers and views are there.
type FinishAnswer struct {
	Done      bool `json:"done"`
	Remaining int  `json:"remaining"`
}

// TableDigest is the digest of one table, in hex, its row count, and its census: the zero one from a side
// that takes none.
type TableDigest struct {
	Name   string `json:"name"`
	Rows   int64  `json:"rows"`
	Digest string `json:"digest"`
	Census Census `json:"census,omitzero"`
}

// Same says whether both have the same digest. One version may take a census where the other takes none.
func (t TableDigest) Same(other TableDigest) bool {
	return t.Name == other.Name && t.Rows == other.Rows && t.Digest == other.Digest
}

// DatabaseDigest is the digest of everything that a database holds; Tables are sorted by name as bytes.
type DatabaseDigest struct {
	Database string        `json:"database"`
	Schema   string        `json:"schema"`
	Tables   []TableDigest `json:"tables"`
}

// DigestReport is how far a Durable Object is with its digest.
type DigestReport struct {
	Phase    userdb.Phase    `json:"phase"`
	Gen      userdb.Claim    `json:"gen"`
	Lin      userdb.Lineage  `json:"lin"`
	Writes   int64           `json:"writes"`
	Complete bool            `json:"complete"`
	Digest   *DatabaseDigest `json:"digest"`
}

// RangeRequest asks for the digest of rows with After < key <= Upto, at most Limit rows (0: no limit).
type RangeRequest struct {
	Table string `json:"table"`
	After Key    `json:"after"`
	Upto  Key    `json:"upto"`
	Limit int64  `json:"limit,omitempty"`
	// Content asks for the rows themselves, which come when they are short, or only one.
	Content bool `json:"content,omitempty"`
}

// RangeDigest answers a RangeRequest.
type RangeDigest struct {
	Rows   int64        `json:"rows"`
	Digest string       `json:"digest"`
	Last   Key          `json:"last"`
	Writes int64        `json:"writes"`
	Phase  userdb.Phase `json:"phase"`
	// More says that the answer ended because of its bytes: the range may go on behind Last.
	More bool `json:"more,omitempty"`
	// Cells and Reals are the rows, nil when they did not come.
	Cells []byte `json:"cells,omitempty"`
	Reals []byte `json:"reals,omitempty"`
}

// ExportRequest asks for one page of a table's rows behind After, of about MaxBytes.
type ExportRequest struct {
	Table    string `json:"table"`
	After    Key    `json:"after"`
	MaxBytes int64  `json:"maxBytes"`

	// Buffer is memory for the answer, which is used where it is large enough: the Body of a page that nobody
	// reads any more, or nil.
	Buffer []byte `json:"-"`
}

// ExportSchema is the schema as the Durable Object has it now.
type ExportSchema struct {
	Schema Schema       `json:"schema"`
	Writes int64        `json:"writes"`
	Phase  userdb.Phase `json:"phase"`
}

// Receipt is the record of one migration: it lives in the Durable Object, and rollback and gc work from it.
type Receipt struct {
	User        userdb.UserID    `json:"user"`
	Bucket      string           `json:"bucket"`
	Key         userdb.ObjectKey `json:"key"`
	Claim       userdb.Claim     `json:"claim"`
	SourceETag  userdb.ETag      `json:"sourceEtag"`   // of the bytes that were fenced, before the fence
	SourceSHA   string           `json:"sourceSha256"` // the same bytes, hex
	SourceBytes int64            `json:"sourceBytes"`
	FencedETag  userdb.ETag      `json:"fencedEtag"`
	Digest      DatabaseDigest   `json:"digest"`
	// Reference names the tables of a split user with rows that are hot, and with a copy in the object.
	Reference  []string `json:"reference,omitempty"`
	MigratedAt int64    `json:"migratedAt"` // Unix milliseconds, by the operator's clock, when the fence was set
	Run        string   `json:"run"`
	Version    string   `json:"version"` // of dbmigrate
	// Bookmarks are noted by the Durable Object; nil where its runtime offers none.
	Bookmarks *Bookmarks `json:"bookmarks,omitempty"`
}

// RunOfBirth is the run in the receipt of a user who began in the Durable Object: no command moved the user.
const RunOfBirth = "birth"

// Born says whether the user began in the Durable Object. A Worker's binding does not tell its bucket's name,
// so the receipt has none.
func (r Receipt) Born() bool { return r.Run == RunOfBirth && r.Bucket == "" }

// Bookmarks are points in time of the Durable Object's storage, as the platform's recovery takes them.
type Bookmarks struct {
	Claim      string `json:"claim,omitempty"`      // before the claim
	Activation string `json:"activation,omitempty"` // before it began to serve
}

// ErrorBody is the JSON of every answer that is not a success.
type ErrorBody struct {
	Error struct {
		Kind    string          `json:"kind"`
		Message string          `json:"message"`
		Details json.RawMessage `json:"details,omitempty"`
	} `json:"error"`
}

// The error kinds of the wire, append-only.
const (
	KindUnauthorized     = "unauthorized"
	KindClosed           = "closed"
	KindNotFound         = "not-found"
	KindMethod           = "method-not-allowed"
	KindMediaType        = "unsupported-media-type"
	KindBadRequest       = "bad-request"
	KindBadBatch         = "bad-batch"
	KindTooLarge         = "too-large"
	KindProtocolVersion  = "protocol-version"
	KindClaimConflict    = "claim-conflict"
	KindStaleClaim       = "stale-claim"
	KindWrongPhase       = "wrong-phase"
	KindBatchesMissing   = "batches-missing"
	KindDigestIncomplete = "digest-incomplete"
	KindDigestMismatch   = "digest-mismatch"
	KindSchemaRefused    = "schema-refused"
	KindRowsRefused      = "rows-refused"
	KindFileChanged      = "file-changed"
	KindNotActive        = "not-active"
	KindSQLError         = "sql-error"
	KindWriteInRead      = "write-in-read"
	KindIntegerPrecision = "integer-precision"
	KindCutover          = "cutover-in-progress"
	KindOutcomeUnknown   = "outcome-unknown"
	KindOverloaded       = "overloaded"
	KindTooCostly        = "too-costly"
	KindInternal         = "internal"
	KindNotSplit         = "not-split"
	KindFileMissing      = "file-missing"
	KindSetBack          = "set-back"
	KindMetadataNames    = "metadata-names"
	KindApplicationThrew = "application-threw"
	KindSchemaFailed     = "schema-failed"
	KindSplitConflict    = "split-conflict"
	KindNotMounted       = "not-mounted"
)
