package kv

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	cfkv "github.com/cloudflare/cloudflare-go/v7/kv"
	"github.com/cloudflare/cloudflare-go/v7/option"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// List yields all flags of the users with names that start with prefix, with metadata, up to 1,000 for each
// call of the API. Keys that name no valid user are passed over. An error from yield ends the listing and is
// returned as it is. KV is eventually consistent: a flag of the last minute may be missing, one just deleted
// may still be there.
func (c *Client) List(ctx context.Context, prefix string, yield func([]Flag) error) error {
	ctx = listening(ctx)
	var params cfkv.NamespaceKeyListParams
	params.AccountID.Value, params.AccountID.Present = c.accountID, true
	params.Prefix.Value, params.Prefix.Present = c.prefix+prefix, true
	params.Limit.Value, params.Limit.Present = listPageSize, true
	for {
		page, err := c.namespaces.Keys.List(ctx, c.namespaceID, params)
		if err != nil {
			return fail(ctx, "list flags", prefix, err)
		}
		if flags := c.flagsOf(page.Result); len(flags) > 0 {
			if err := yield(flags); err != nil {
				return err
			}
		}
		// Not the SDK's pager: it stops at a page without keys, which KV may send before the last one.
		if page.ResultInfo.Cursor == "" {
			return nil
		}
		params.Cursor.Value, params.Cursor.Present = page.ResultInfo.Cursor, true
	}
}

func (c *Client) flagsOf(keys []cfkv.Key) []Flag {
	flags := make([]Flag, 0, len(keys))
	for _, key := range keys {
		if user, ok := userOfKey(c.prefix, key.Name); ok {
			flags = append(flags, Flag{User: user, Meta: decodeMeta([]byte(key.JSON.Metadata.Raw()))})
		}
	}
	return flags
}

// Get looks up the flags of the given users, 100 in a call; users without a flag are absent from the answer.
func (c *Client) Get(ctx context.Context, users []userdb.UserID) (map[userdb.UserID]Flag, error) {
	ctx = listening(ctx)
	found := make(map[userdb.UserID]Flag)
	for batch := range slices.Chunk(users, maxBulkGet) {
		if err := c.getBatch(ctx, batch, found); err != nil {
			return nil, fail(ctx, "get flags", describe(batch), err)
		}
	}
	return found, nil
}

// bulkGetAnswer holds {"value", "metadata"} for each key or, from the local runtime, the bare value; null
// when absent.
type bulkGetAnswer struct {
	Result struct {
		Values map[string]json.RawMessage `json:"values"`
	} `json:"result"`
}

func (c *Client) getBatch(ctx context.Context, users []userdb.UserID, found map[userdb.UserID]Flag) error {
	var params cfkv.NamespaceBulkGetParams
	params.AccountID.Value, params.AccountID.Present = c.accountID, true
	params.Keys.Value, params.Keys.Present = c.keysOf(users), true
	params.WithMetadata.Value, params.WithMetadata.Present = true, true
	var answer bulkGetAnswer
	if _, err := c.namespaces.BulkGet(ctx, c.namespaceID, params, option.WithResponseBodyInto(&answer)); err != nil {
		return err
	}
	for _, user := range users {
		flag, ok, err := c.readValue(ctx, user, answer.Result.Values[c.keyOf(user)])
		if err != nil {
			return err
		}
		if ok {
			found[user] = flag
		}
	}
	return nil
}

func (c *Client) readValue(ctx context.Context, user userdb.UserID, raw json.RawMessage) (Flag, bool, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return Flag{}, false, nil
	}
	var full struct {
		Value    *string         `json:"value"`
		Metadata json.RawMessage `json:"metadata"`
	}
	if json.Unmarshal(raw, &full) == nil {
		if full.Value == nil {
			return Flag{}, false, nil
		}
		return Flag{User: user, Value: *full.Value, Meta: decodeMeta(full.Metadata)}, true, nil
	}
	flag := Flag{User: user}
	if err := json.Unmarshal(raw, &flag.Value); err != nil {
		return Flag{}, false, &badAnswer{fmt.Errorf("value of %s: %w", c.keyOf(user), err)}
	}
	if !c.local {
		return flag, true, nil
	}
	meta, err := c.listedMeta(ctx, user)
	flag.Meta = meta
	return flag, true, err
}

// errEnough ends a listing early.
var errEnough = errors.New("enough")

// listedMeta makes up for the local runtime, which leaves metadata out of its bulk get: it lists the one key.
func (c *Client) listedMeta(ctx context.Context, user userdb.UserID) (FlagMeta, error) {
	var meta FlagMeta
	err := c.List(ctx, string(user), func(flags []Flag) error {
		if flags[0].User == user { // in key order, a key comes before its extensions
			meta = flags[0].Meta
		}
		return errEnough
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return meta, err
}

func (c *Client) keysOf(users []userdb.UserID) []string {
	keys := make([]string, len(users))
	for i, user := range users {
		keys[i] = c.keyOf(user)
	}
	return keys
}
