// Package record writes down what operators do: a run record (run-<id>.jsonl on this machine, and a copy in
// R2 that any machine can read), and an audit line for each act. Records are reports: nothing is ever decided
// by them, and a run goes on when they cannot be written.
package record

import (
	"context"
	"encoding/json"
	"io"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Version is the version of the record's lines (docs/scripting.md).
const Version = 1

// Begin is the first line of a record.
type Begin struct {
	Record  int      `json:"record"` // Version
	Run     string   `json:"run"`
	Action  string   `json:"action"`
	At      int64    `json:"at"`      // Unix milliseconds
	Command []string `json:"command"` // as it was given; user ids are counted, not listed
	Version string   `json:"version"` // dbmigrate's own
	Who     Who      `json:"who"`
	Reason  string   `json:"reason,omitempty"`
	Bucket  string   `json:"bucket"`
	Layout  string   `json:"layout"`
	Users   int      `json:"users"` // chosen
	Bytes   int64    `json:"bytes"` // of their files
}

// End is the last line of a record.
type End struct {
	At      int64   `json:"at"`
	Summary Summary `json:"summary"`
}

// Summary is what a reader takes from the summary of the run; see docs/scripting.md for the whole of it.
type Summary struct {
	Users       int            `json:"users"`
	Outcomes    map[string]int `json:"outcomes"`
	Failed      int            `json:"failed"`
	NotBegun    int            `json:"notBegun"`
	Open        []string       `json:"open"`
	Bytes       int64          `json:"bytes"`
	TookMs      int64          `json:"tookMs"`
	Interrupted bool           `json:"interrupted"`
	Exit        int            `json:"exit"`
}

// UserLine is what a reader takes from a user's line.
type UserLine struct {
	User       userdb.UserID     `json:"user"`
	Action     string            `json:"action"`
	Outcome    string            `json:"outcome"`
	Bytes      int64             `json:"bytes"`
	Claim      userdb.Claim      `json:"claim"`
	TookMs     int64             `json:"tookMs"`
	WindowMs   int64             `json:"windowMs"` // how long the application's writes waited; 0: they did not
	Reason     string            `json:"reason"`
	Open       bool              `json:"open"`
	LeftBehind userdb.ObjectKey  `json:"leftBehind"`
	Archived   userdb.ObjectKey  `json:"archived"`
	Error      *result.ErrorJSON `json:"error"`
	EndedAt    int64             `json:"endedAt"` // Unix milliseconds; 0 in records of older versions
}

// WaveLine is what a reader takes from a wave's line: docs/scripting.md has the whole of it.
type WaveLine struct {
	Name       string `json:"name"`
	Users      int    `json:"users"`
	Failed     int    `json:"failed"`
	Verified   int    `json:"verified"`
	Different  int    `json:"different"`
	Gate       string `json:"gate"`
	Reason     string `json:"reason"`
	RolledBack int    `json:"rolledBack"`
	TookMs     int64  `json:"tookMs"`
	At         int64  `json:"at"` // its end
}

// line is any line of a record.
type line struct {
	Begin *Begin        `json:"begin"`
	Begun userdb.UserID `json:"begun"` // a user who is begun; the user's own line follows at the end
	Wave  *WaveLine     `json:"wave"`
	End   *End          `json:"end"`
	UserLine
}

// Prefix is where the copies stand in the bucket.
const Prefix = userdb.ReservedPrefix + "runs/"

// Key is where the copy of a run's record stands in the bucket.
func Key(run string) userdb.ObjectKey { return userdb.ObjectKey(Prefix + name(run)) }

func name(run string) string { return "run-" + run + ".jsonl" }

// runOf reads the run back out of a file's name or a key; "" is something else.
func runOf(path string) string {
	base := path[strings.LastIndexAny(path, "/\\")+1:]
	run, found := strings.CutPrefix(base, "run-")
	run, hasEnd := strings.CutSuffix(run, ".jsonl")
	if !found || !hasEnd {
		return ""
	}
	return run
}

// Files is the bucket, as far as records need it.
type Files interface {
	Putter
	Get(ctx context.Context, key userdb.ObjectKey, ifMatch userdb.ETag, w io.Writer) (userdb.Object, error)
	GetRange(
		ctx context.Context,
		key userdb.ObjectKey,
		ifMatch userdb.ETag,
		offset, length int64,
	) ([]byte, userdb.Object, error)
	List(
		ctx context.Context,
		prefix, delimiter string,
		yield func(objects []userdb.Object, commonPrefixes []string) error,
	) error
}

// Putter writes an object.
type Putter interface {
	Put(
		ctx context.Context,
		key userdb.ObjectKey,
		body io.ReadSeeker,
		size int64,
		opts userdb.PutOptions,
	) (userdb.ETag, error)
}

func encode(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	return append(text, '\n'), err
}

// Millis is how records tell times.
func Millis(t time.Time) int64 { return t.UnixMilli() }
