// Package doclient speaks to the admin routes of the Worker, which pass each message to the Durable Object of
// one user (docs/wire-format.md).
//
// Every message is safe to repeat, so the client repeats it by itself when no answer came or the platform
// Every message is safe to repeat, so the client repeats it by itself when no answer came or the platform
// asked to wait (RetryPolicy). That holds for a claim because of its ID: the same claim again gets the same
// answer, until another command claims the user. A claim-conflict is returned as it is: somebody else was
// faster, and the caller reads the status and decides again.
//
// Errors are *userdb.Error; behind an answer of the Worker errors.As finds the *wire.RemoteError.
package doclient

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/dbmigrate/dbmigrate/internal/backoff"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Config says where the Worker is and with which credentials.
type Config struct {
	BaseURL string // https://host or https://host/path; http only for this machine, see AllowHTTP
	Token   string // the admin token, sent as bearer

	// AccessClientID and AccessClientSecret are a Cloudflare Access service token; both or neither.
	AccessClientID     string
	AccessClientSecret string

	LocationHint string // where Durable Objects that do not exist yet are to be placed: weur, enam, ...; may be empty
	UserAgent    string // "dbmigrate" when empty

	// HTTP replaces the client's own connections. Its redirect policy is not used: redirects are never
	// followed.
	HTTP *http.Client
	// Around stands between the client and the network; nil: nothing does.
	Around func(http.RoundTripper) http.RoundTripper
	// AllowHTTP permits http:// to other machines, which sends the token in clear.
	AllowHTTP bool

	Retry    RetryPolicy      // zero: DefaultRetry
	Traffic  userdb.Traffic   // told of every request; may be nil
	Observe  func(Attempt)    // told about every attempt, from any goroutine; may be nil
	Timeouts Timeouts         // zero: DefaultTimeouts
	Now      func() time.Time // the clock for Retry-After dates; nil: time.Now
}

// String leaves the secrets out, so that a Config can be logged.
func (c Config) String() string {
	return fmt.Sprintf(
		"Worker %s (token %s, Access %s)",
		withoutUser(c.BaseURL),
		presence(c.Token),
		presence(c.AccessClientSecret),
	)
}

// GoString is String, for %#v.
func (c Config) GoString() string { return c.String() }

func presence(secret string) string {
	if secret == "" {
		return "absent"
	}
	return "set"
}

func withoutUser(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return "(not a URL)"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// Timeouts bound a single attempt, from dialling to the last byte of the answer; the context bounds the whole
// call.
type Timeouts struct {
	Message time.Duration // every message but rows
	Rows    time.Duration // a batch of rows or a mark, which have megabytes to send or to move
	// PerGiB is added to Message where the Durable Object works through its database in one step: it drops
	// it, or builds an index.
	PerGiB time.Duration
}

// DefaultTimeouts leave room for a Durable Object that is starting: most messages are answered within
// milliseconds.
var DefaultTimeouts = Timeouts{Message: 30 * time.Second, Rows: 60 * time.Second, PerGiB: 60 * time.Second}

// Client speaks to one Worker. It is safe for concurrent use.
type Client struct {
	base     *url.URL
	header   http.Header
	http     *http.Client
	retry    RetryPolicy
	timeouts Timeouts
	observe  func(Attempt)
	traffic  userdb.Traffic
	now      func() time.Time
	sleep    sleepFunc
	large    sync.Map // userdb.UserID to int64: the sizes of databases over largeBytes, as their objects last said
}

// New checks cfg and returns a client; it connects to nothing yet.
func New(cfg Config) (*Client, error) {
	base, err := parseBase(cfg.BaseURL, cfg.AllowHTTP)
	if err != nil {
		return nil, err
	}
	header, err := commonHeader(cfg)
	if err != nil {
		return nil, err
	}
	c := &Client{
		base:     base,
		header:   header,
		http:     httpClient(cfg.HTTP, cfg.Around),
		retry:    cfg.Retry,
		timeouts: cfg.Timeouts,
		observe:  cfg.Observe,
		traffic:  cfg.Traffic,
		now:      cfg.Now,
		sleep:    backoff.Sleep,
	}
	if c.retry == (RetryPolicy{}) {
		c.retry = DefaultRetry
	}
	if c.timeouts == (Timeouts{}) {
		c.timeouts = DefaultTimeouts
	}
	if c.observe == nil {
		c.observe = func(Attempt) {}
	}
	if c.traffic == nil {
		c.traffic = userdb.NoTraffic{}
	}
	if c.now == nil {
		c.now = time.Now
	}
	return c, nil
}

// String names the Worker; it shows no secret.
func (c *Client) String() string { return "Worker " + c.base.String() }

// GoString is String, for %#v.
func (c *Client) GoString() string { return c.String() }

func parseBase(raw string, allowHTTP bool) (*url.URL, error) {
	u, err := url.Parse(raw)
	reason := ""
	switch {
	case err != nil: // its text could hold a password
		return nil, usage("it is not a URL", "write it as https://host")
	case u.User != nil:
		reason = "it holds a user or password"
	case u.Scheme != "https" && u.Scheme != "http":
		reason = "it does not begin with https://"
	case u.Hostname() == "":
		reason = "it names no host"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		reason = "it holds a query or fragment"
	case u.Scheme == "http" && !allowHTTP && !loopback(u.Hostname()):
		return nil, usage(
			"http:// would send the admin token in clear",
			"use https://; http:// is for this machine only",
		)
	}
	if reason != "" {
		return nil, usage(reason, "write it as https://host")
	}
	u.Path = strings.TrimRight(u.Path, "/")
	u.RawPath = ""
	return u, nil
}

func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

func commonHeader(cfg Config) (http.Header, error) {
	if cfg.Token == "" {
		return nil, usage(
			"the admin token is missing",
			"set DBMIGRATE_TOKEN to the Worker's secret of that name",
		)
	}
	if strings.ContainsFunc(cfg.Token, unicode.IsSpace) {
		return nil, usage(
			"the admin token holds white space",
			"copy it again, without a line break at its end",
		)
	}
	if (cfg.AccessClientID == "") != (cfg.AccessClientSecret == "") {
		return nil, usage(
			"only one half of the Cloudflare Access service token is set",
			"set its client id and its client secret, or neither",
		)
	}
	h := http.Header{}
	for name, value := range map[string]string{
		"Authorization":           "Bearer " + cfg.Token,
		"CF-Access-Client-Id":     cfg.AccessClientID,
		"CF-Access-Client-Secret": cfg.AccessClientSecret,
		"X-Dbmigrate-Location":    cfg.LocationHint,
		"User-Agent":              orDefault(cfg.UserAgent, "dbmigrate"),
		"Accept-Encoding":         "identity", // batches and pages are dense, and gzip would cost the Worker its CPU time
	} {
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
			return nil, usage(
				"the value for "+name+" holds a line break or another character that no header carries",
				"copy it again",
			)
		}
		if value != "" {
			h.Set(name, value)
		}
	}
	return h, nil
}

func orDefault(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func usage(reason, hint string) error {
	return &userdb.Error{
		Op:   "configure the Worker's client",
		Kind: userdb.Usage,
		Err:  fmt.Errorf("%s", reason),
		Hint: hint,
	}
}

// idleConnections is how many connections stay open between requests: about as many as a fleet migration
// keeps busy.
const idleConnections = 256

func httpClient(given *http.Client, around func(http.RoundTripper) http.RoundTripper) *http.Client {
	out := &http.Client{Transport: newTransport()}
	if given != nil {
		copied := *given
		out = &copied
	}
	out.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	out.Jar = nil
	if around != nil {
		out.Transport = around(out.Transport)
	}
	return out
}

// newTransport uses HTTP/1.1: with HTTP/2 all users' uploads would share the congestion window of one
// connection.
func newTransport() *http.Transport {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		Protocols:             protocols,
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:   10 * time.Second,
		MaxIdleConns:          idleConnections,
		MaxIdleConnsPerHost:   idleConnections,
		IdleConnTimeout:       60 * time.Second,
		ExpectContinueTimeout: time.Second,
		WriteBufferSize:       64 << 10,
		ReadBufferSize:        64 << 10,
		DisableCompression:    true,
	}
}
