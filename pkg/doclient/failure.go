package doclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// threwAttempts is how often an object with code that threw is asked: once more, since a deployment may just
// have been replacing it. Code that throws twice throws every time.
const threwAttempts = 2

// mostSilences is how often a request may find no answer at all in its whole time. Each costs half a minute
// or more.
const mostSilences = 4

// threw says what an object threw, in words, and keeps what the Worker said.
type threw struct {
	error
	remote *wire.RemoteError
}

func (t *threw) Unwrap() error { return t.remote }

// failure is why one attempt did not succeed.
type failure struct {
	kind       userdb.Kind
	err        error
	hint       string
	again      bool // the same message may be sent again
	silent     bool // nothing came in the time that an attempt has
	most       int  // attempts in all, where that is fewer than the policy's; 0: it is not
	retryAfter time.Duration
	everybody  bool // the account is meant, not this user
	login      bool // a login in front of the Worker answered
}

// throttled says whether the platform asked us to slow down. A user in the middle of a cutover asks to wait,
// too, but for nobody else.
func (f *failure) throttled(status int) bool {
	var remote *wire.RemoteError
	if errors.As(f.err, &remote) {
		return f.everybody || remote.Kind == wire.KindOverloaded || status == http.StatusTooManyRequests
	}
	return status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable
}

const (
	hintAccess = "a login page or redirect usually comes from Cloudflare Access: set the service token's client id and secret, and give its policy the action Service Auth"
	hintURL    = "check the Worker's URL, and that the Worker is deployed there"
	hintDeploy = "if a deploy just went out: wrangler rollback"
	hintLogs   = "see the Worker's logs (wrangler tail); if they show nothing to mend, run the same command again"
	hintToken  = "compare DBMIGRATE_TOKEN with the Worker's secret of that name"
)

// objectSilent is how the Worker says that it reached no object: the platform has reset it, or it did not
// start.
const objectSilent = "ask the Durable Object: "

func errNoAnswer(after time.Duration) error { return fmt.Errorf("no answer within %s", after) }

// connectionFailure is for an attempt without a whole answer.
func connectionFailure(ctx context.Context, err error) *failure {
	err = userdb.TransportCause(err)
	silent := ctx.Err() != nil
	if silent {
		err = context.Cause(ctx)
	}
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		hint := "no server with a valid certificate for this name answered: check the Worker's URL"
		if userdb.CertificateDates(err) {
			hint = userdb.HintCertificateDates
		}
		return &failure{kind: userdb.Unreachable, err: err, hint: hint}
	}
	return &failure{
		kind:   userdb.Unreachable,
		err:    err,
		again:  true,
		silent: silent,
		hint:   "check the Worker's URL and the network, then run the command again",
	}
}

// judge returns nil for a success of the protocol.
func (c *Client) judge(resp *http.Response, body []byte, wantBinary bool) *failure {
	status := resp.StatusCode
	want := mediaJSON
	if wantBinary {
		want = mediaBinary
	}
	media := mediaType(resp)
	if status == http.StatusOK && media == want {
		return nil
	}
	retryAfter := resp.Header.Get("Retry-After")
	if media == mediaJSON && status != http.StatusOK {
		if remote := wire.ParseError(status, retryAfter, c.now(), body); remote != nil {
			return remoteFailure(remote)
		}
	}
	return foreignFailure(resp, media, body, wire.ParseRetryAfter(retryAfter, c.now()))
}

func remoteFailure(e *wire.RemoteError) *failure {
	f := &failure{kind: kindOf(e), err: e, retryAfter: e.RetryAfter}
	if t, known := troubleOf(e); known {
		f.kind, f.hint, f.again, f.everybody = t.kind, t.hint, t.again, t.kind == userdb.Throttled
		return f
	}
	switch e.Kind {
	case wire.KindOverloaded, wire.KindCutover:
		f.again = true
	case wire.KindInternal:
		f.again, f.hint = true, hintLogs
		if strings.Contains(e.Message, objectSilent) {
			f.kind = userdb.Unreachable
		}
	case wire.KindApplicationThrew:
		f.again, f.most, f.hint = true, threwAttempts, hintDeploy
	case wire.KindUnauthorized:
		f.hint = hintToken
	case wire.KindClosed:
		f.hint = "give the Worker its admin secret: wrangler secret put DBMIGRATE_TOKEN"
	case wire.KindMetadataNames:
		f.hint = "write the object again: names of metadata in small ASCII letters, digits and hyphens, values without control characters or " +
			"blanks at their ends, HTTP headers in ASCII; the user stays on the old path"
	case wire.KindStaleClaim:
		f.hint = "another command took this user over; nothing more was changed here"
	case wire.KindClaimConflict:
		f.hint = "read the status and claim again with the gen that it shows"
	case wire.KindProtocolVersion:
		f.hint = "update dbmigrate or the Worker: both must speak one version"
	default:
		f.again = e.Status == http.StatusTooManyRequests
	}
	return f
}

var kinds = map[string]userdb.Kind{
	wire.KindUnauthorized:     userdb.Unauthorized,
	wire.KindClosed:           userdb.Unauthorized,
	wire.KindNotFound:         userdb.NotFound,
	wire.KindMethod:           userdb.ProtocolError,
	wire.KindMediaType:        userdb.ProtocolError,
	wire.KindBadRequest:       userdb.ProtocolError,
	wire.KindBadBatch:         userdb.ProtocolError,
	wire.KindTooLarge:         userdb.ProtocolError,
	wire.KindProtocolVersion:  userdb.ProtocolError,
	wire.KindClaimConflict:    userdb.Precondition,
	wire.KindStaleClaim:       userdb.Superseded,
	wire.KindWrongPhase:       userdb.Conflict,
	wire.KindBatchesMissing:   userdb.Conflict,
	wire.KindDigestIncomplete: userdb.Conflict,
	wire.KindDigestMismatch:   userdb.Mismatch,
	wire.KindSchemaRefused:    userdb.Refused,
	wire.KindRowsRefused:      userdb.Refused,
	wire.KindFileChanged:      userdb.Precondition,
	wire.KindMetadataNames:    userdb.Blocked,
	wire.KindApplicationThrew: userdb.Unreachable,
	wire.KindNotActive:        userdb.Conflict,
	wire.KindCutover:          userdb.Throttled,
	wire.KindOverloaded:       userdb.Throttled,
	wire.KindTooCostly:        userdb.TooCostly,
	wire.KindNotMounted:       userdb.Usage,
}

func kindOf(e *wire.RemoteError) userdb.Kind {
	if kind, ok := kinds[e.Kind]; ok {
		return kind
	}
	if e.Status == http.StatusTooManyRequests {
		return userdb.Throttled
	}
	return userdb.Internal
}

func (c *Client) errorOf(m *call, f *failure, attempts int) error {
	err := f.err
	var remote *wire.RemoteError
	if errors.As(err, &remote) && remote.Kind == wire.KindApplicationThrew {
		err = fmt.Errorf("%s's Durable Object threw %.300q: application code", m.user, remote.Message)
		err = &threw{err, remote}
	}
	if attempts > 1 {
		err = fmt.Errorf("%w, after %d attempts", err, attempts)
	}
	return &userdb.Error{Op: m.op, Thing: c.thing(m), Kind: f.kind, Err: err, Hint: f.hint}
}

func (c *Client) thing(m *call) string {
	if m.user == "" {
		return c.String()
	}
	return string(m.user)
}

// protocolError is for a success with content that cannot be right.
func (c *Client) protocolError(m *call, err error) error {
	return &userdb.Error{
		Op:    m.op,
		Thing: c.thing(m),
		Kind:  userdb.ProtocolError,
		Err:   err,
		Hint:  "compare the versions of dbmigrate and the Worker",
	}
}
