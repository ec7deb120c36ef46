package wire

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// RemoteError is an error that the Worker answered (section 2).
type RemoteError struct {
	Status     int
	Kind       string // one of the Kind constants, or one that a newer Worker knows
	Message    string // made fit for a terminal
	Details    json.RawMessage
	RetryAfter time.Duration // 0: the Worker named none
}

// maxMessage is how many bytes of a remote message are kept.
const maxMessage = 1000

func (e *RemoteError) Error() string {
	return fmt.Sprintf("the Worker answered %s: %s", e.Kind, e.Message)
}

// ErrorDetails are the members of `details` that the kinds of section 2 define. Those that a kind does not
// have are zero.
type ErrorDetails struct {
	Gen         userdb.Claim    `json:"gen"`
	Lin         userdb.Lineage  `json:"lin"`
	Phase       userdb.Phase    `json:"phase"`
	Missing     [][2]int64      `json:"missing"` // closed ranges of batch numbers
	Table       string          `json:"table"`
	Object      string          `json:"object"`
	Reason      string          `json:"reason"`
	Differences json.RawMessage `json:"differences"`
}

// DecodeDetails reads the details; none at all reads as zero.
func (e *RemoteError) DecodeDetails() (ErrorDetails, error) {
	var d ErrorDetails
	if len(e.Details) == 0 {
		return d, nil
	}
	if err := json.Unmarshal(e.Details, &d); err != nil {
		return d, fmt.Errorf("read the details of %s: %w", e.Kind, err)
	}
	return d, nil
}

// ParseError reads an error answer. retryAfter is the header of that name, now the time it counts from. It
// returns nil when the body is not an error of this protocol.
func ParseError(status int, retryAfter string, now time.Time, body []byte) *RemoteError {
	var b ErrorBody
	if err := json.Unmarshal(body, &b); err != nil || b.Error.Kind == "" {
		return nil
	}
	return &RemoteError{
		Status:     status,
		Kind:       printable(b.Error.Kind),
		Message:    printable(b.Error.Message),
		Details:    b.Error.Details,
		RetryAfter: ParseRetryAfter(retryAfter, now),
	}
}

// httpDate is the format of dates in HTTP headers (RFC 9110, section 5.6.7).
const httpDate = "Mon, 02 Jan 2006 15:04:05 GMT"

// ParseRetryAfter reads a Retry-After header, seconds or a date; 0 when there is none, it is malformed or
// past.
func ParseRetryAfter(header string, now time.Time) time.Duration {
	header = strings.TrimSpace(header)
	if seconds, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := time.Parse(httpDate, header); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}

// printable keeps control characters of the other side away from terminals and logs.
func printable(s string) string {
	if len(s) > maxMessage {
		s = strings.ToValidUTF8(s[:maxMessage], "") + "..."
	}
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}
