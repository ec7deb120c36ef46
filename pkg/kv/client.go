// Package kv keeps the flags that route users: key migrated:{user}, value "true", and in the key's metadata
// what tools want to know, through the Cloudflare API. A flag is a hint (docs/cutover.md): readers may see it
// a minute late.
package kv

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	cfkv "github.com/cloudflare/cloudflare-go/v7/kv"
	"github.com/cloudflare/cloudflare-go/v7/option"
	"golang.org/x/time/rate"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// DefaultBaseURL is the Cloudflare API.
const DefaultBaseURL = "https://api.cloudflare.com/client/v4"

// localPath is in the base URL of a local runtime, which has no /accounts/{id} in its paths.
const localPath = "/cdn-cgi/local/"

// Limits of the API (developers.cloudflare.com/kv/platform/limits and the API reference).
const (
	maxBulkGet    = 100
	maxBulkWrite  = 10_000
	listPageSize  = 1000
	localBulk     = 500 // the local runtime writes a bulk key by key, about 120 a second
	maxMetaBytes  = 1024
	defaultTries  = 8
	requestExpiry = 2 * time.Minute
)

// Config says which namespace, and who asks. With a local BaseURL only NamespaceID is required.
type Config struct {
	AccountID   string
	NamespaceID string
	Token       string
	BaseURL     string       // default DefaultBaseURL
	HTTP        *http.Client // default: with a time limit of 2 minutes for a request; redirects are refused either way
	// Around stands between the client and the network; nil: nothing does.
	Around      func(http.RoundTripper) http.RoundTripper
	Traffic     userdb.Traffic // told of every request; may be nil
	MaxAttempts int            // for each request, default 8: enough to sit out the API's block of 5 minutes
	// Budget is how many requests this client may send in any 5 minutes; default DefaultBudget, and no limit
	// for a local BaseURL. Processes that work under one account at the same time have to divide it.
	Budget int
}

// Client is the flags of one kind in a namespace. It is safe for concurrent use, and all its users wait
// together when the API says 429.
type Client struct {
	*connection
	prefix string // what the keys begin with
}

// Split returns the flags of split users, split:{user}, over the same connection and budget.
func (c *Client) Split() *Client { return &Client{c.connection, userdb.SplitFlagPrefix} }

func (c *Client) keyOf(u userdb.UserID) string { return c.prefix + string(u) }

// connection is one namespace.
type connection struct {
	namespaces  *cfkv.NamespaceService
	accountID   string
	namespaceID string
	local       bool
	maxAttempts int
	bulk        int // keys in one bulk write
	gate        gate
	budget      *rate.Limiter // nil: none
	calls       atomic.Int64
	traffic     userdb.Traffic
}

// New checks the configuration; it sends nothing.
func New(config Config) (*Client, error) {
	if config.BaseURL == "" {
		config.BaseURL = DefaultBaseURL
	}
	if config.MaxAttempts == 0 {
		config.MaxAttempts = defaultTries
	}
	local := strings.Contains(config.BaseURL, localPath)
	if local && config.AccountID == "" {
		config.AccountID = "local"
	}
	if err := config.validate(local); err != nil {
		return nil, &userdb.Error{Op: "configure KV", Thing: config.NamespaceID, Kind: userdb.Usage, Err: err}
	}
	c := &Client{prefix: userdb.FlagPrefix, connection: &connection{
		accountID: config.AccountID, namespaceID: config.NamespaceID, local: local, maxAttempts: config.MaxAttempts, bulk: maxBulkWrite,
		traffic: config.Traffic,
	}}
	if c.traffic == nil {
		c.traffic = userdb.NoTraffic{}
	}
	if local {
		c.bulk = localBulk
	}
	if config.Budget == 0 && !local {
		config.Budget = DefaultBudget
	}
	if config.Budget > 0 {
		c.budget = newBudget(config.Budget)
	}
	c.namespaces = cfkv.NewNamespaceService(
		option.WithBaseURL(config.BaseURL),
		option.WithAPIToken(config.Token),
		option.WithHTTPClient(around(withoutRedirects(config.HTTP), config.Around)),
		option.WithMaxRetries(
			0,
		), // the middleware retries: cloudflare-go would not make the other callers wait as well
		option.WithMiddleware(c.roundTrip),
	)
	return c, nil
}

func (config Config) validate(local bool) error {
	base, err := url.Parse(config.BaseURL)
	switch {
	case err != nil || base.Host == "" || (base.Scheme != "https" && base.Scheme != "http"):
		return errors.New("the base URL is not a URL (" + DefaultBaseURL + ")")
	case base.User != nil:
		return errors.New("the base URL holds credentials; give the token separately")
	case !isIdentifier(config.NamespaceID):
		return errors.New("the namespace id is missing or malformed (`wrangler kv namespace list` shows it)")
	case !isIdentifier(config.AccountID):
		return errors.New("the account id is missing or malformed (CLOUDFLARE_ACCOUNT_ID)")
	case config.Token == "" && !local:
		return errors.New("no API token is given (CLOUDFLARE_API_TOKEN)")
	case config.MaxAttempts < 0:
		return errors.New("MaxAttempts cannot be negative")
	case config.Budget != 0 && (config.Budget < MinBudget || config.Budget > MaxBudget):
		return fmt.Errorf("the budget of API calls is not between %d and %d", MinBudget, MaxBudget)
	}
	return nil
}

// isIdentifier accepts what can stand in the API's path as it is.
func isIdentifier(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// Calls counts the requests sent so far, repeated ones too. The API allows 1,200 in 5 minutes for the whole
// account.
func (c *Client) Calls() int64 { return c.calls.Load() }

func around(client *http.Client, wrap func(http.RoundTripper) http.RoundTripper) *http.Client {
	if wrap != nil {
		client.Transport = wrap(client.Transport)
	}
	return client
}

// withoutRedirects copies the client: a redirect leads to a login page, or takes the token to another host.
func withoutRedirects(given *http.Client) *http.Client {
	client := http.Client{Timeout: requestExpiry}
	if given != nil {
		client = *given
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &client
}
