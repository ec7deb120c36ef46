package r2

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Lock is a lock rule of the bucket: until it ends, the objects under Prefix cannot be written or deleted.
type Lock struct {
	ID     string
	Prefix string        // of the keys that it covers; "" is every key
	Age    time.Duration // after the object was written; 0 where Until or neither says when
	Until  time.Time     // zero: for good, where Age is 0
}

// LockReader reads lock rules. The S3 API does not show them, so it asks the Cloudflare API.
type LockReader struct {
	BaseURL, AccountID, Token string
	Bucket, Jurisdiction      string
	HTTP                      *http.Client // nil: http.DefaultClient
}

// mostLocks bounds the answer: R2 takes at most 1,000 rules.
const mostLocks = 1 << 20

// lockAnswer is the API's
// (developers.cloudflare.com/api/resources/r2/subresources/buckets/subresources/locks).
type lockAnswer struct {
	Result struct {
		Rules []struct {
			ID        string `json:"id"`
			Enabled   bool   `json:"enabled"`
			Prefix    string `json:"prefix"`
			Condition struct {
				Type          string `json:"type"`
				MaxAgeSeconds int64  `json:"maxAgeSeconds"`
				Date          string `json:"date"`
			} `json:"condition"`
		} `json:"rules"`
	} `json:"result"`
}

// Locks reads the rules that are switched on. Unauthorized: the token has no permission to read the bucket's
// settings.
func (l LockReader) Locks(ctx context.Context) ([]Lock, error) {
	var answer lockAnswer
	if kind, err := l.get(ctx, &answer); err != nil {
		return nil, &userdb.Error{Op: "read the lock rules of", Thing: l.Bucket, Kind: kind, Err: err,
			Hint: `give the API token the permission "Workers R2 Storage Read"`}
	}
	var found []Lock
	for _, r := range answer.Result.Rules {
		if !r.Enabled {
			continue
		}
		lock := Lock{ID: r.ID, Prefix: r.Prefix}
		switch r.Condition.Type {
		case "Age":
			lock.Age = time.Duration(r.Condition.MaxAgeSeconds) * time.Second
		case "Date":
			lock.Until, _ = time.Parse(
				time.RFC3339,
				r.Condition.Date,
			) // a date that we cannot read never ends
		}
		found = append(found, lock)
	}
	return found, nil
}

func (l LockReader) get(ctx context.Context, into any) (userdb.Kind, error) {
	address := strings.TrimRight(
		l.BaseURL,
		"/",
	) + "/accounts/" + url.PathEscape(
		l.AccountID,
	) + "/r2/buckets/" + url.PathEscape(
		l.Bucket,
	) + "/lock"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return userdb.Usage, errors.New("the API's address is not a URL")
	}
	req.Header.Set("Authorization", "Bearer "+l.Token)
	if l.Jurisdiction != "" {
		req.Header.Set("cf-r2-jurisdiction", l.Jurisdiction)
	}
	client := l.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return userdb.Unreachable, userdb.TransportCause(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, mostLocks))
	switch {
	case resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden:
		return userdb.Unauthorized, fmt.Errorf("HTTP %d", resp.StatusCode)
	case resp.StatusCode != http.StatusOK:
		return userdb.Unreachable, fmt.Errorf("HTTP %d", resp.StatusCode)
	case err != nil:
		return userdb.Unreachable, err
	}
	if json.Unmarshal(body, into) != nil {
		// Its error names our types, which help nobody.
		return userdb.ProtocolError, errors.New("the answer is not the JSON of lock rules")
	}
	return "", nil
}
