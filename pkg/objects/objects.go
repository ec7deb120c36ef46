// Package objects lists Durable Objects, over the Cloudflare API. It asks no object.
package objects

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/backoff"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Lister asks for one account.
type Lister struct {
	BaseURL, AccountID, Token string
	// Around stands between the client and the network; nil: nothing does.
	Around func(http.RoundTripper) http.RoundTripper
}

// Namespace is a class of Durable Objects of one Worker.
type Namespace struct {
	ID     string `json:"id"`
	Class  string `json:"class"`
	Script string `json:"script"`
	SQLite bool   `json:"use_sqlite"`
}

// Object is one of a namespace.
type Object struct {
	ID      string `json:"id"`
	HasData bool   `json:"hasStoredData"`
}

const (
	// pageSize is the API's most, and namespacePage that of namespaces.
	pageSize, namespacePage = 10_000, 100
	maxAnswer               = 8 << 20
	tries                   = 5
	requestTimeout          = time.Minute
)

var pauses = backoff.Growth{First: 500 * time.Millisecond, Most: 20 * time.Second}

// answer is the API's
// (developers.cloudflare.com/api/resources/durable_objects/subresources/namespaces).
type answer[T any] struct {
	Success bool `json:"success"`
	Result  []T  `json:"result"`
	Info    struct {
		Cursor  string `json:"cursor"`
		Cursors struct {
			After string `json:"after"`
		} `json:"cursors"`
	} `json:"result_info"`
}

// Namespaces are all of the account. Unauthorized: the token has no permission to read Workers.
func (l Lister) Namespaces(ctx context.Context) ([]Namespace, error) {
	var all []Namespace
	for page := 1; ; page++ {
		query := url.Values{"page": {strconv.Itoa(page)}, "per_page": {strconv.Itoa(namespacePage)}}
		var got answer[Namespace]
		if err := l.get(ctx, "", query, &got); err != nil {
			return nil, l.fail(ctx, "list the namespaces of Durable Objects", "", err)
		}
		all = append(all, got.Result...)
		if len(got.Result) < namespacePage {
			return all, nil
		}
	}
}

// Each lists the objects of a namespace, page by page. Objects that come into being meanwhile may be
// missing.
func (l Lister) Each(ctx context.Context, namespace string, yield func([]Object) error) error {
	query, given := url.Values{"limit": {strconv.Itoa(pageSize)}}, map[string]bool{}
	for {
		var got answer[Object]
		if err := l.get(ctx, "/"+url.PathEscape(namespace)+"/objects", query, &got); err != nil {
			return l.fail(ctx, "list the Durable Objects of", namespace, err)
		}
		if err := yield(got.Result); err != nil {
			return err
		}
		next := got.Info.Cursor
		if next == "" {
			next = got.Info.Cursors.After
		}
		if next == "" {
			return nil
		}
		if given[next] {
			return l.fail(ctx, "list the Durable Objects of", namespace, errors.New("the listing goes round in a circle"))
		}
		given[next] = true
		query.Set("cursor", next)
	}
}

// refused is an answer that is no success.
type refused struct{ status int }

func (r refused) Error() string { return fmt.Sprintf("HTTP %d", r.status) }

func (r refused) mayPass() bool { return r.status == http.StatusTooManyRequests || r.status >= 500 }

// unreachable is no answer at all.
type unreachable struct{ error }

func (l Lister) fail(ctx context.Context, op, thing string, err error) error {
	e := &userdb.Error{Op: op, Thing: thing, Kind: userdb.ProtocolError, Err: err}
	var status refused
	var none unreachable
	switch {
	case ctx.Err() != nil:
		e.Kind = userdb.Interrupted
	case errors.As(err, &none):
		e.Kind = userdb.Unreachable
	case !errors.As(err, &status):
	case status.status == http.StatusUnauthorized || status.status == http.StatusForbidden:
		e.Kind, e.Hint = userdb.Unauthorized, `give the API token the permission "Workers Scripts Read"`
	case status.status == http.StatusTooManyRequests:
		e.Kind = userdb.Throttled
	default:
		e.Kind = userdb.Unreachable
	}
	return e
}

// get asks again while the trouble may pass.
func (l Lister) get(ctx context.Context, path string, query url.Values, into any) error {
	for failures := 1; ; failures++ {
		err := l.once(ctx, path, query, into)
		var status refused
		var none unreachable
		passes := errors.As(err, &none) || errors.As(err, &status) && status.mayPass()
		if err == nil || !passes || failures == tries {
			return err
		}
		if backoff.Sleep(ctx, backoff.Spread(pauses.After(failures))) != nil {
			return err
		}
	}
}

func (l Lister) once(ctx context.Context, path string, query url.Values, into any) error {
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	address := strings.TrimRight(l.BaseURL, "/") + "/accounts/" + url.PathEscape(l.AccountID) +
		"/workers/durable_objects/namespaces" + path + "?" + query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return errors.New("the API's address is not a URL")
	}
	request.Header.Set("Authorization", "Bearer "+l.Token)
	response, err := l.client().Do(request)
	if err != nil {
		return unreachable{userdb.TransportCause(err)}
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return refused{response.StatusCode}
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return unreachable{err}
	}
	if json.Unmarshal(body, into) != nil {
		return errors.New("the answer is not the JSON of a listing")
	}
	return nil
}

// client follows no redirect: the token must not go elsewhere.
func (l Lister) client() *http.Client {
	transport := http.DefaultTransport
	if l.Around != nil {
		transport = l.Around(transport)
	}
	return &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
