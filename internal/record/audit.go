package record

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// ActVersion is the version of an Act's fields (docs/scripting.md).
const ActVersion = 1

// The states of an act.
const (
	ActBegun = "begun" // and not ended yet, or killed
	ActEnded = "ended"
)

// Act is one act of an operator: who, when, what, about how many users, and why. A line goes to a log on this
// machine and an object to R2; each act has an object of its own, so that two operators never overwrite each
// other.
type Act struct {
	Audit   int      `json:"audit"` // ActVersion
	Run     string   `json:"run"`
	State   string   `json:"state"`
	Action  string   `json:"action"`
	At      int64    `json:"at"` // when it began, Unix milliseconds
	EndAt   int64    `json:"endAt,omitempty"`
	Who     Who      `json:"who"`
	Reason  string   `json:"reason,omitempty"`
	Command []string `json:"command"`
	Version string   `json:"version"`
	Bucket  string   `json:"bucket"`
	Users   int      `json:"users"`  // chosen
	Bytes   int64    `json:"bytes"`  // of their files
	Record  string   `json:"record"` // the run record, which names them
	Summary any      `json:"summary,omitempty"`
}

// ActPrefix is where the objects stand in the bucket, in a folder for each day (UTC).
const ActPrefix = userdb.ReservedPrefix + "audit/"

// Key is where the act stands in the bucket.
func (a *Act) Key() userdb.ObjectKey {
	return userdb.ObjectKey(
		ActPrefix + time.UnixMilli(a.At).UTC().Format(time.DateOnly) + "/" + a.Run + ".json",
	)
}

// logName is the log on this machine, in the state folder.
const logName = "audit.jsonl"

// putTime bounds how long a command waits for the object.
const putTime = 30 * time.Second

// Write appends the act to the log in dir and puts it into the bucket. Both are tried, whatever becomes of
// the other.
func (a *Act) Write(ctx context.Context, dir string, files Putter) error {
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, putTime)
	defer cancel()
	_, putErr := files.Put(
		ctx,
		a.Key(),
		bytes.NewReader(text),
		int64(len(text)),
		userdb.PutOptions{ContentType: "application/json"},
	)
	return errors.Join(appendToLog(dir, text), putErr)
}

func appendToLog(dir string, text []byte) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return Append(filepath.Join(dir, logName), text)
}

// maxReason is the longest reason, in bytes.
const maxReason = 1000

// CheckReason refuses what would not be one line of text.
func CheckReason(reason string) error {
	cause := ""
	switch {
	case !utf8.ValidString(reason):
		cause = "it is not UTF-8"
	case len(reason) > maxReason:
		cause = fmt.Sprintf("it has %d bytes, and %d are the most", len(reason), maxReason)
	case bytes.ContainsFunc([]byte(reason), unicode.IsControl):
		cause = "it holds a control character"
	default:
		return nil
	}
	return &userdb.Error{
		Op:   "read --reason",
		Kind: userdb.Usage,
		Err:  errors.New(cause),
		Hint: "write one line of text, such as a ticket's number",
	}
}
