package kv

import (
	"context"
	"net/http"
	"time"

	cfkv "github.com/cloudflare/cloudflare-go/v7/kv"
	"github.com/cloudflare/cloudflare-go/v7/option"
)

const (
	leastListPage  = 10
	probeKeyPrefix = "dbmigrate-probe:" // no flag, and no application's key
	probeSeconds   = 60                 // the shortest life that KV gives a key
)

// ProbeRead lists a few flags, with their metadata: the smallest request that shows whether a token may read.
// now is the server's clock, from the Date of its answer; zero where it has none. Kinds as List.
func (c *Client) ProbeRead(ctx context.Context) (now time.Time, err error) {
	ctx = listening(ctx)
	var params cfkv.NamespaceKeyListParams
	params.AccountID.Value, params.AccountID.Present = c.accountID, true
	params.Prefix.Value, params.Prefix.Present = c.prefix, true
	params.Limit.Value, params.Limit.Present = leastListPage, true
	var answer *http.Response
	if _, err := c.namespaces.Keys.List(ctx, c.namespaceID, params, option.WithResponseInto(&answer)); err != nil {
		return now, fail(ctx, "list flags", "", err)
	}
	if answer != nil {
		now, _ = http.ParseTime(answer.Header.Get("Date")) // zero when it is no time
	}
	return now, nil
}

// Jurisdiction reads where the namespace's data has to stay: "none" is anywhere, "" is not known, as from a
// local runtime.
func (c *Client) Jurisdiction(ctx context.Context) (string, error) {
	if c.local {
		return "", nil
	}
	ctx = listening(ctx)
	var params cfkv.NamespaceGetParams
	params.AccountID.Value, params.AccountID.Present = c.accountID, true
	var answer struct {
		Result struct {
			Jurisdiction *string `json:"jurisdiction"`
		} `json:"result"`
	}
	if _, err := c.namespaces.Get(ctx, c.namespaceID, params, option.WithResponseBodyInto(&answer)); err != nil {
		return "", fail(ctx, "read namespace", c.namespaceID, err)
	}
	switch j := answer.Result.Jurisdiction; {
	case j == nil:
		return "", nil
	case *j == "" || *j == "default":
		return "none", nil
	default:
		return *j, nil
	}
}

// ProbeWrite writes a key of its own, which nobody reads and which dies within a minute, and deletes it, by
// the calls that flags are written with.
func (c *Client) ProbeWrite(ctx context.Context, name string) error {
	ctx = listening(ctx)
	key := probeKeyPrefix + name
	var pair cfkv.NamespaceBulkUpdateParamsBody
	pair.Key.Value, pair.Key.Present = key, true
	pair.Value.Value, pair.Value.Present = "probe", true
	pair.ExpirationTTL.Value, pair.ExpirationTTL.Present = probeSeconds, true
	write := cfkv.NamespaceBulkUpdateParams{Body: []cfkv.NamespaceBulkUpdateParamsBody{pair}}
	write.AccountID.Value, write.AccountID.Present = c.accountID, true
	if _, err := c.namespaces.BulkUpdate(ctx, c.namespaceID, write); err != nil {
		return fail(ctx, "put", key, err)
	}
	remove := cfkv.NamespaceBulkDeleteParams{Body: []string{key}}
	remove.AccountID.Value, remove.AccountID.Present = c.accountID, true
	if _, err := c.namespaces.BulkDelete(ctx, c.namespaceID, remove); err != nil {
		return fail(ctx, "delete", key, err)
	}
	return nil
}
