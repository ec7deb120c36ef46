package doclient

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Cloudflare's edge may answer in place of the Worker: a bot challenge, a firewall rule, an error page, the
// login of Access. What it says is about one request. The content of that request may be the reason, so it is
// that user's failure. Only a login page says that every other request will be refused, too.

// saying is what an answer of the edge means.
type saying struct {
	kind  userdb.Kind
	what  string
	hint  string
	again bool
}

const (
	hintSkip   = "let a rule of the zone skip bot protection and managed rules for the path /_dbmigrate/, or use the Worker's workers.dev address"
	hintCustom = "if it is a custom error page or rule of the zone, exclude the path /_dbmigrate/: it hides what the Worker says"
	hintCPU    = "raise limits.cpu_ms in the wrangler configuration (docs/mount.md)"
)

// errorCode finds the number by which the edge calls its errors, in its plain and in its HTML form.
var errorCode = regexp.MustCompile(`(?i)error(?: code)?:?\s*(?:<[^>]*>\s*)*(1\d{3})\b`)

// codes are the errors of
// developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-1xxx-errors that a request
// to a Worker can meet.
var codes = map[string]saying{
	"1006": {userdb.EdgeBlocked, "the zone bans this address", hintSkip, false},
	"1007": {userdb.EdgeBlocked, "the zone bans this address", hintSkip, false},
	"1008": {userdb.EdgeBlocked, "the zone bans this address", hintSkip, false},
	"1009": {userdb.EdgeBlocked, "the zone bans this country", hintSkip, false},
	"1010": {userdb.EdgeBlocked, "the zone bans this kind of client", hintSkip, false},
	"1012": {userdb.EdgeBlocked, "the zone bans this address", hintSkip, false},
	"1015": {
		userdb.Throttled,
		"a rate limit of the zone",
		"exclude the path /_dbmigrate/ from the rate limiting rule, or run fewer users at once",
		true,
	},
	"1020": {userdb.EdgeBlocked, "a firewall rule of the zone (WAF) blocked it", hintSkip, false},
	"1027": {
		userdb.Throttled,
		"the free plan's requests of this day are used up",
		"wait until midnight UTC, or use the paid plan",
		false,
	},
	"1101": {
		userdb.Unreachable,
		"the Worker threw an exception",
		hintDeploy + "; else see the Worker's logs",
		true,
	},
	"1102": {userdb.Unreachable, "the Worker used more CPU time or memory than it may", hintCPU, false},
}

// edgeSays recognises an answer that Cloudflare's edge gave in place of the Worker.
func edgeSays(resp *http.Response, body []byte) (saying, bool) {
	switch text := string(bytes.ToLower(body)); {
	case strings.EqualFold(resp.Header.Get("Cf-Mitigated"), "challenge"):
		return saying{
			userdb.EdgeBlocked,
			"a bot challenge, which no program can answer",
			hintSkip + "; Bot Fight Mode cannot be skipped",
			false,
		}, true
	case isAccess(resp, text):
		return saying{userdb.Unauthorized, "the login of Cloudflare Access", hintAccess, false}, true
	case strings.Contains(text, "you have been blocked") || strings.Contains(text, "attention required! | cloudflare"):
		return saying{
			userdb.EdgeBlocked,
			"a firewall rule of the zone (WAF) blocked it",
			hintSkip,
			false,
		}, true
	}
	if found := errorCode.FindSubmatch(body); found != nil {
		code := string(found[1])
		s, known := codes[code]
		if !known {
			again := resp.StatusCode >= 500 && repeatable(resp.StatusCode)
			s = saying{userdb.Unreachable, "", "look the code up in Cloudflare's list of 1xxx errors", again}
			if resp.StatusCode < 500 {
				s.kind = userdb.EdgeBlocked
			}
		}
		s.what = strings.TrimSuffix("error code "+code+": "+s.what, ": ")
		return s, true
	}
	return saying{}, false
}

// isAccess knows the login by where it leads or by what it asks for.
func isAccess(resp *http.Response, lowerBody string) bool {
	if to, err := resp.Location(); err == nil &&
		strings.HasSuffix("."+to.Hostname(), ".cloudflareaccess.com") {
		return true
	}
	return resp.Header.Get("Cf-Access-Domain") != "" ||
		strings.Contains(resp.Header.Get("Www-Authenticate"), "Cloudflare-Access") ||
		strings.Contains(lowerBody, "cloudflareaccess.com") ||
		strings.Contains(lowerBody, "cloudflare access")
}

// foreignFailure is for an answer that the Worker's admin routes did not write: the platform, Access or
// another site did.
func foreignFailure(resp *http.Response, media string, body []byte, retryAfter time.Duration) *failure {
	status := resp.StatusCode
	text := fmt.Sprintf(
		"HTTP %d with %s, not a dbmigrate answer",
		status,
		orDefault(media, "no media type"),
	)
	if to, err := resp.Location(); err == nil && status >= 300 && status < 400 {
		text = fmt.Sprintf("HTTP %d redirects to %s, and redirects are never followed", status, to.Host)
	}
	said, known := edgeSays(resp, body)
	if !known {
		said = byStatus(status)
	}
	if said.what != "" {
		text += ": " + said.what
	}
	if ray := resp.Header.Get("Cf-Ray"); rayID.MatchString(ray) {
		text += " (cf-ray " + ray + ")"
	}
	return &failure{
		kind:       said.kind,
		err:        fmt.Errorf("%s", text),
		hint:       said.hint,
		again:      said.again,
		retryAfter: retryAfter,
		login:      said.kind == userdb.Unauthorized,
	}
}

var rayID = regexp.MustCompile(`^[0-9A-Za-z-]{1,40}$`)

// byStatus is for a page that says nothing that we know.
func byStatus(status int) saying {
	switch {
	case status == http.StatusTooManyRequests:
		return saying{userdb.Throttled, "", "run fewer users at once", true}
	case status >= 500:
		return saying{userdb.Unreachable, "", "see the Worker's logs; " + hintCustom, repeatable(status)}
	case status == http.StatusNotFound:
		return saying{userdb.ProtocolError, "", hintURL + "; " + hintCustom, false}
	case status == http.StatusUnauthorized: // nobody but a login answers so
		return saying{userdb.Unauthorized, "", hintAccess, false}
	case status < 400 || status == http.StatusForbidden:
		return saying{userdb.EdgeBlocked, "", hintAccess + "; " + hintSkip, false}
	}
	return saying{userdb.EdgeBlocked, "", hintCustom, false}
}

// repeatable leaves out the 5xx that say "never": not implemented, and the HTTP version.
func repeatable(status int) bool {
	return status != http.StatusNotImplemented && status != http.StatusHTTPVersionNotSupported
}

// objectTrouble are errors of the platform about an object that the Worker passes on. The first is the
// account's and slows everybody; the others come again however often the message is sent.
var objectTrouble = []struct {
	says *regexp.Regexp
	saying
}{
	{
		regexp.MustCompile(`(?i)too much load on Durable Objects`),
		saying{
			userdb.Throttled,
			"",
			"the account asks for too much of its Durable Objects: run fewer users at once",
			true,
		},
	},
	{
		regexp.MustCompile(`(?i)exceeded (its |the )?CPU`),
		saying{userdb.Internal, "", "the object used more CPU time than it may; " + hintCPU, false},
	},
	{
		regexp.MustCompile(`(?i)exceeded (its |the )?memory limit`),
		saying{
			userdb.Internal,
			"",
			"the object needs more memory than it may have: the user's rows or schema are too large for it",
			false,
		},
	},
	{
		regexp.MustCompile(`(?i)SQL is not enabled|new_sqlite_classes`),
		saying{
			userdb.Internal,
			"",
			"the class has no SQLite: declare one under new_sqlite_classes; a class cannot be changed later",
			false,
		},
	},
	{
		regexp.MustCompile(`(?i)does not implement the method`),
		saying{
			userdb.Internal,
			"",
			"the binding's class is not UserDataStore or a subclass of it (docs/mount.md)",
			false,
		},
	},
}

// troubleOf recognises what the platform says about an object.
func troubleOf(e *wire.RemoteError) (saying, bool) {
	if e.Kind != wire.KindInternal && e.Kind != wire.KindOverloaded {
		return saying{}, false
	}
	for _, t := range objectTrouble {
		if t.says.MatchString(e.Message) {
			return t.saying, true
		}
	}
	return saying{}, false
}
