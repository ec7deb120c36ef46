package kv

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

const (
	hintToken     = `give the API token the account permission "Workers KV Storage Write" (in the dashboard: Workers KV Storage, Edit) for this account`
	hintNamespace = "check the namespace id and CLOUDFLARE_ACCOUNT_ID; `wrangler kv namespace list` shows the ids"
	hintBase      = "check CLOUDFLARE_API_BASE_URL and what stands between here and there"
	hintThrottled = "the account's 1,200 API calls in 5 minutes are used up: wait 5 minutes, and see what else calls the API"
	hintOutage    = "run again; see www.cloudflarestatus.com if it lasts"
)

// Codes of the API's error envelope.
const (
	codeNoRoute       = 7003 // the account or namespace id in the path has the wrong form
	codeInvalidHeader = 6003 // a malformed token
	codeNoNamespace   = 10013
)

// answer is a request that ended otherwise than it should, already judged.
type answer struct {
	kind userdb.Kind
	text string
	hint string
	err  error
}

func (a *answer) Error() string {
	if a.err != nil {
		return a.text + a.err.Error()
	}
	return a.text
}

func (a *answer) Unwrap() error { return a.err }

func (a *answer) throttled() bool { return a.kind == userdb.Throttled }

// badAnswer is a body that does not have the API's form.
type badAnswer struct{ err error }

func (b *badAnswer) Error() string { return "unreadable answer: " + b.err.Error() }

func (b *badAnswer) Unwrap() error { return b.err }

// judge returns nil for a success; again tells whether repeating the request can help. All our requests are
// idempotent.
func judge(response *http.Response, err error) (verdict *answer, again bool) {
	if userdb.CertificateDates(err) {
		return &answer{kind: userdb.Unreachable, err: userdb.TransportCause(err), hint: userdb.HintCertificateDates}, false
	}
	if err != nil {
		return &answer{kind: userdb.Unreachable, err: userdb.TransportCause(err), hint: hintBase}, true
	}
	status := response.StatusCode
	opened, broken := openEnvelope(response)
	text := describeAnswer(status, opened)
	switch {
	case status == http.StatusTooManyRequests:
		return &answer{kind: userdb.Throttled, text: text, hint: hintThrottled}, true
	case status >= 500 || status == http.StatusRequestTimeout:
		return &answer{kind: userdb.Unreachable, text: text, hint: hintOutage}, true
	case status == http.StatusUnauthorized,
		status == http.StatusForbidden,
		hasCode(opened, codeInvalidHeader):
		return &answer{kind: userdb.Unauthorized, text: text, hint: hintToken}, false
	case status == http.StatusNotFound, hasCode(opened, codeNoRoute), hasCode(opened, codeNoNamespace):
		return &answer{kind: userdb.NotFound, text: text, hint: hintNamespace}, false
	case broken != nil: // a login page, for example, whatever its status
		return &answer{kind: userdb.ProtocolError, text: text + ", and no JSON", hint: hintBase}, false
	case status >= 300 || !opened.Success:
		return &answer{kind: userdb.ProtocolError, text: text, hint: hintBase}, false
	}
	return nil, false
}

func describeAnswer(status int, e envelope) string {
	text := fmt.Sprintf("answer %d %s", status, http.StatusText(status))
	for _, problem := range e.Errors {
		text += fmt.Sprintf(", %s (code %d)", problem.Message, problem.Code)
	}
	return text
}

func hasCode(e envelope, code int) bool {
	for _, problem := range e.Errors {
		if problem.Code == code {
			return true
		}
	}
	return false
}

// fail turns an error into the one that this package returns.
func fail(ctx context.Context, op, thing string, err error) error {
	result := &userdb.Error{Op: op, Thing: thing, Kind: userdb.Internal, Err: err}
	var already *userdb.Error
	var judged *answer
	var unreadable *badAnswer
	switch {
	case errors.As(err, &already):
		return err
	case patienceOver(ctx):
		said := saidBefore(ctx)
		result.Kind, result.Hint, result.Err = said.kind, said.hint, said
		if left := new(UnwrittenError); errors.As(err, &left) {
			result.Err = &UnwrittenError{Users: left.Users, Err: said}
		}
	case ctx.Err() != nil: // not errors.Is on err: the HTTP client's own time limit looks the same
		result.Kind = userdb.Interrupted
	case errors.As(err, &judged):
		result.Kind, result.Hint = judged.kind, judged.hint
	case errors.As(err, &unreadable):
		result.Kind, result.Hint = userdb.ProtocolError, hintBase
	}
	return result
}
