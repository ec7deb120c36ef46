package r2

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

const (
	hintRead     = `give the token the R2 permission "Workers R2 Storage Bucket Item Read" for this bucket`
	hintWrite    = `give the token the R2 permission "Workers R2 Storage Bucket Item Write" for this bucket`
	hintLock     = "a bucket lock rule covers this key: lift it, or leave the user where it is"
	hintKeys     = `check AWS_ACCESS_KEY_ID (the token's id), AWS_SECRET_ACCESS_KEY (the SHA-256 of the token) and that the endpoint's account and jurisdiction are the bucket's; the token needs "Workers R2 Storage Bucket Item Read" or "... Write"`
	hintClock    = "set this machine's clock: it is more than 15 minutes off"
	hintEndpoint = "check the endpoint (https://<account id>.r2.cloudflarestorage.com) and what stands between here and there"
	hintThrottle = "R2 takes one write a second for a key; run again with less concurrency"
	hintStored   = "something between here and R2 limits or alters uploads, or R2 does not take this one; " + hintEndpoint
	hintEncoded  = "store the database itself, without Content-Encoding"
	hintBucket   = "check the bucket's name, and the endpoint's account and jurisdiction"
)

// access tells which permission a request needs, for hints.
type access int

const (
	reading access = iota
	writing
)

// response is an error answer of the server, shorn of the SDK's words.
type response struct {
	status  int
	code    string
	message string
	skew    time.Duration // between this machine's clock and the server's, where the server tells
}

// mostSkew is what R2 takes. The answer to a HEAD has no body to say that it is more.
const mostSkew = 15 * time.Minute

func (r *response) Error() string {
	text := fmt.Sprintf("answer %d %s", r.status, http.StatusText(r.status))
	if r.code != "" {
		text += " " + r.code
	}
	if r.message != "" && r.message != r.code {
		text += ": " + r.message
	}
	return text
}

// fail turns what the SDK returned into the error of this package.
func (c *Client) fail(ctx context.Context, op string, key userdb.ObjectKey, needs access, err error) error {
	var already *userdb.Error
	if errors.As(err, &already) {
		return err
	}
	kind, hint, cause := classify(ctx, err, needs)
	return &userdb.Error{Op: op, Thing: c.thing(key), Kind: kind, Err: cause, Hint: hint}
}

func (c *Client) thing(key userdb.ObjectKey) string {
	if key == "" {
		return c.bucket
	}
	return c.bucket + "/" + string(key)
}

func classify(ctx context.Context, err error, needs access) (userdb.Kind, string, error) {
	if ctx.Err() != nil { // not errors.Is on err: the HTTP client's own time limit looks the same
		return userdb.Interrupted, "", ctx.Err()
	}
	var ours *writerError
	if errors.As(err, &ours) {
		return userdb.Internal, "", err
	}
	status := statusOf(err)
	switch {
	case status == 0 && userdb.CertificateDates(err):
		return userdb.Unreachable, userdb.HintCertificateDates, userdb.TransportCause(err)
	case status == 0:
		return userdb.Unreachable, hintEndpoint, userdb.TransportCause(err)
	}
	if status < 300 { // for example a login page where an XML document should be
		return userdb.ProtocolError, hintEndpoint, err
	}
	answer := responseOf(status, err)
	kind, hint := classifyAnswer(answer, needs)
	return kind, hint, answer
}

func classifyAnswer(answer *response, needs access) (userdb.Kind, string) {
	switch answer.code {
	case "NoSuchBucket":
		return userdb.NotFound, hintBucket
	case "RequestTimeTooSkewed":
		return userdb.Unauthorized, hintClock
	case "SignatureDoesNotMatch", "InvalidAccessKeyId", "ExpiredToken", "InvalidToken", "InvalidSecurity":
		return userdb.Unauthorized, hintKeys
	case "ObjectLockedByBucketPolicy":
		return userdb.Blocked, hintLock // of this object only: other users may be free
	case "AccessDenied":
		return userdb.Unauthorized, permissionHint(needs)
	}
	switch status := answer.status; {
	case status == http.StatusForbidden && answer.code == "" && answer.skew > mostSkew:
		return userdb.Unauthorized, hintClock
	case status == http.StatusUnauthorized:
		return userdb.Unauthorized, hintKeys
	case status == http.StatusForbidden:
		return userdb.Unauthorized, permissionHint(needs) + ", or " + hintKeys
	case status == http.StatusNotFound:
		return userdb.NotFound, ""
	case status == http.StatusPreconditionFailed:
		return userdb.Precondition, ""
	case status == http.StatusTooManyRequests, answer.code == "SlowDown":
		return userdb.Throttled, hintThrottle
	case status >= 500 && status != http.StatusNotImplemented:
		return userdb.Unreachable, "run again; see www.cloudflarestatus.com if it lasts"
	case needs == writing && refusesUpload(answer):
		return userdb.NotStored, hintStored
	default: // redirects, 400 and 501: this is not the R2 that we know
		return userdb.ProtocolError, hintEndpoint
	}
}

// refusesUpload says whether the answer is about the body or the headers of this upload. A 400 without a code
// may be anybody's.
func refusesUpload(answer *response) bool {
	switch answer.status {
	case http.StatusRequestEntityTooLarge, http.StatusLengthRequired, http.StatusRequestHeaderFieldsTooLarge:
		return true
	}
	return answer.status == http.StatusBadRequest && answer.code != ""
}

func permissionHint(needs access) string {
	if needs == writing {
		return hintWrite
	}
	return hintRead
}

// responseOf drops the code where the SDK made one up: the answer to a HEAD has no body to carry it.
func responseOf(status int, err error) *response {
	answer := &response{status: status}
	var answered *smithyhttp.ResponseError
	if errors.As(err, &answered) && answered.Response != nil {
		if at, err := http.ParseTime(answered.Response.Header.Get("Date")); err == nil {
			answer.skew = time.Since(at).Abs()
		}
	}
	var api smithy.APIError
	if !errors.As(err, &api) {
		return answer
	}
	invented := strings.ReplaceAll(http.StatusText(status), " ", "")
	if code := api.ErrorCode(); code != "UnknownError" && code != invented {
		answer.code, answer.message = code, api.ErrorMessage()
	}
	return answer
}

// statusOf is 0 when no answer came.
func statusOf(err error) int {
	var answered *smithyhttp.ResponseError
	if !errors.As(err, &answered) || answered.Response == nil {
		return 0
	}
	return answered.HTTPStatusCode()
}
