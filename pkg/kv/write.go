package kv

import (
	"context"
	"fmt"
	"slices"
	"strings"

	cfkv "github.com/cloudflare/cloudflare-go/v7/kv"

	"github.com/dbmigrate/dbmigrate/internal/backoff"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// UnwrittenError names the users with flags that are, as far as is known, not written or not deleted. It is
// in the chain of every error of Put and Delete that comes after the first request. All other users of that
// call are done.
type UnwrittenError struct {
	Users []userdb.UserID
	Err   error
}

func (e *UnwrittenError) Error() string { return e.Err.Error() }

func (e *UnwrittenError) Unwrap() error { return e.Err }

// Unwritten are the users of the error.
func (e *UnwrittenError) Unwritten() []userdb.UserID { return e.Users }

// Put writes flags, up to 10,000 in one call of the API. KV reports keys that did not reach all its stores;
// those are written again, with growing pauses, before they become an error. KV takes one write a second for
// a key. Kinds: Usage (nothing was sent), Unauthorized, NotFound (the namespace), Throttled, Unreachable.
func (c *Client) Put(ctx context.Context, flags []Flag) error {
	bodies := make(map[userdb.UserID]cfkv.NamespaceBulkUpdateParamsBody, len(flags))
	var users []userdb.UserID
	for _, flag := range flags {
		body, err := c.pair(flag)
		if err != nil {
			return &userdb.Error{Op: "put flag", Thing: string(flag.User), Kind: userdb.Usage, Err: err}
		}
		if _, again := bodies[flag.User]; !again {
			users = append(users, flag.User)
		}
		bodies[flag.User] = body
	}
	return c.inBatches(
		ctx,
		"put flags",
		users,
		func(ctx context.Context, batch []userdb.UserID) ([]string, error) {
			var params cfkv.NamespaceBulkUpdateParams
			params.AccountID.Value, params.AccountID.Present = c.accountID, true
			for _, user := range batch {
				params.Body = append(params.Body, bodies[user])
			}
			result, err := c.namespaces.BulkUpdate(ctx, c.namespaceID, params)
			if err != nil {
				return nil, err
			}
			return result.UnsuccessfulKeys, nil
		},
	)
}

// Delete removes flags, which sends their users back to R2; flags that are not there are no error. Otherwise
// as Put.
func (c *Client) Delete(ctx context.Context, users []userdb.UserID) error {
	users = slices.Compact(slices.Sorted(slices.Values(users)))
	return c.inBatches(
		ctx,
		"delete flags",
		users,
		func(ctx context.Context, batch []userdb.UserID) ([]string, error) {
			params := cfkv.NamespaceBulkDeleteParams{Body: c.keysOf(batch)}
			params.AccountID.Value, params.AccountID.Present = c.accountID, true
			result, err := c.namespaces.BulkDelete(ctx, c.namespaceID, params)
			if err != nil {
				return nil, err
			}
			return result.UnsuccessfulKeys, nil
		},
	)
}

func (c *Client) pair(flag Flag) (body cfkv.NamespaceBulkUpdateParamsBody, err error) {
	if _, err := userdb.ParseUserID(string(flag.User)); err != nil {
		return body, err
	}
	meta, err := encodeMeta(flag.Meta)
	if err != nil {
		return body, err
	}
	if flag.Value == "" {
		flag.Value = userdb.FlagValue
	}
	body.Key.Value, body.Key.Present = c.keyOf(flag.User), true
	body.Value.Value, body.Value.Present = flag.Value, true
	body.Metadata.Value, body.Metadata.Present = meta, true
	return body, nil
}

// write is one bulk call; it returns the keys that KV wants to be sent again.
type write func(ctx context.Context, batch []userdb.UserID) ([]string, error)

func (c *Client) inBatches(ctx context.Context, op string, users []userdb.UserID, send write) error {
	ctx = listening(ctx)
	for start := 0; start < len(users); start += c.bulk {
		end := min(start+c.bulk, len(users))
		left, err := c.untilAllWritten(ctx, users[start:end], send)
		if err != nil {
			left = append(slices.Clone(left), users[end:]...)
			return fail(ctx, op, describe(left), &UnwrittenError{Users: left, Err: err})
		}
	}
	return nil
}

// untilAllWritten returns, with an error, who is left.
func (c *Client) untilAllWritten(
	ctx context.Context,
	batch []userdb.UserID,
	send write,
) ([]userdb.UserID, error) {
	for failures := 1; ; failures++ {
		keys, err := send(ctx, batch)
		if err != nil {
			return batch, err
		}
		if batch = c.amongst(batch, keys); len(batch) == 0 {
			return nil, nil
		}
		if failures >= c.maxAttempts {
			return batch, &answer{
				kind: userdb.Unreachable,
				text: fmt.Sprintf("KV reports them as unsuccessful after %d attempts", failures),
			}
		}
		if err := backoff.Sleep(ctx, backoff.Spread(afterFailure.After(failures))); err != nil {
			return batch, err
		}
	}
}

func (c *Client) amongst(batch []userdb.UserID, keys []string) []userdb.UserID {
	if len(keys) == 0 {
		return nil
	}
	failed := make(map[string]bool, len(keys))
	for _, key := range keys {
		failed[key] = true
	}
	var left []userdb.UserID
	for _, user := range batch {
		if failed[c.keyOf(user)] {
			left = append(left, user)
		}
	}
	return left
}

// describe names a few users, for messages.
func describe(users []userdb.UserID) string {
	const few = 5
	var names []string
	for _, user := range users[:min(few, len(users))] {
		names = append(names, string(user))
	}
	text := strings.Join(names, ", ")
	if more := len(users) - few; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}
