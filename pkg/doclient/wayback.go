package doclient

import (
	"context"
	"errors"
	"fmt"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Return lets the Worker take back, from R2 to R2, a user who has written nothing. Without an error the
// file is back and the Durable Object is empty. The request may be repeated. After an error at another
// step than "look" the single Claim, with the same request, says whether the claim was granted.
func (c *Client) Return(ctx context.Context, u userdb.UserID, req wire.BackRequest) (wire.Returned, error) {
	m := c.post("return", u, "/"+wire.CompositeReturn, req)
	m.timeout, m.steps = c.timeouts.Rows, true // it has megabytes to move
	var out wire.Returned
	if err := c.decode(ctx, m, &out); err != nil {
		return wire.Returned{}, err
	}
	if out.Status.Phase != userdb.Empty || out.Status.Gen != req.Claim.Seen+1 {
		return out, c.protocolError(
			m,
			fmt.Errorf(
				"phase %.20q of claim %d after the return of claim %d",
				out.Status.Phase,
				out.Status.Gen,
				req.Claim.Seen+1,
			),
		)
	}
	if err := c.checkStatus(m, out.Status); err != nil {
		return out, err
	}
	out.Status = c.cleared(ctx, u, out.Status)
	return out, nil
}

// Export seals the user, and reads everything that the Durable Object holds. Errors are as of Return; a
// larger user than one answer has room for is sealed all the same.
func (c *Client) Export(ctx context.Context, u userdb.UserID, req wire.BackRequest) (*wire.Exported, error) {
	m := c.post("export", u, "/"+wire.CompositeExport, req)
	m.timeout, m.steps, m.binary = c.timeouts.Rows, true, true
	body, err := c.do(ctx, m)
	if err != nil {
		return nil, err
	}
	out, err := wire.ParseExported(body)
	if err != nil {
		return nil, c.protocolError(m, err)
	}
	if out.Claimed.Outcome == wire.OutcomeExport && out.Claimed.Phase != userdb.Empty &&
		(out.Digest == nil || out.Schema == nil) {
		return nil, c.protocolError(m, errors.New("a sealed Durable Object without what it holds"))
	}
	if out.Digest != nil && out.Digest.Complete {
		if err := c.checkDigest(m, *out.Digest); err != nil {
			return nil, err
		}
	}
	return out, c.checkStatus(m, out.Claimed.Status)
}

// ReadAll reads everything that the Durable Object holds, of one moment. Only one of up to
// Hello.SnapshotBytes answers.
func (c *Client) ReadAll(ctx context.Context, u userdb.UserID) (*wire.Exported, error) {
	m := c.post("read all of", u, "/export/all", struct{}{})
	m.timeout, m.binary = c.timeouts.Rows, true
	body, err := c.do(ctx, m)
	if err != nil {
		return nil, err
	}
	out, err := wire.ParseExported(body)
	if err != nil {
		return nil, c.protocolError(m, err)
	}
	if out.Digest == nil || !out.Digest.Complete || out.Schema == nil {
		return nil, c.protocolError(m, errors.New("it does not say what the Durable Object holds"))
	}
	return out, c.checkDigest(m, *out.Digest)
}

// followSlack is what comes beside the rows that were asked for: tables and rows that changed.
const followSlack = 64 << 20

// Follow answers a part of a copy that is made while the application writes. NotFound, as a
// wire.RemoteError: the Worker is of before.
func (c *Client) Follow(ctx context.Context, u userdb.UserID, req wire.FollowRequest) (*wire.Followed, error) {
	m := c.post("copy", u, "/export/follow", req)
	m.binary = true
	m.maxRead = followSlack
	body, err := c.do(ctx, m)
	if err != nil {
		return nil, err
	}
	out, err := wire.ParseFollowed(body)
	if err != nil {
		return nil, c.protocolError(m, err)
	}
	if req.Since == nil && out.Schema == nil || req.Read != nil && !out.Lost && out.Read == nil ||
		req.Check != nil && !out.Lost && out.Check == nil {
		return nil, c.protocolError(m, errors.New("it does not have what was asked for"))
	}
	if out.Read != nil && (req.Read == nil || out.Read.Table != req.Read.Table) {
		return nil, c.protocolError(m, fmt.Errorf("another table came: %.80q", out.Read.Table))
	}
	return out, nil
}

// TryWrite writes one row as the application would, into the table of a selftest's own user. written is
// false where the Durable Object does not serve.
func (c *Client) TryWrite(ctx context.Context, u userdb.UserID, note string) (written bool, err error) {
	body := struct {
		Note string `json:"note"`
	}{note}
	var out struct {
		Written bool `json:"written"`
	}
	err = c.decode(ctx, c.post("write to", u, "/try-write", body), &out)
	return out.Written, err
}

// Vanish deletes the empty Durable Object of a selftest, its claim counter too. It is false where the
// object is not empty, or the Worker is of before.
func (c *Client) Vanish(ctx context.Context, u userdb.UserID) (vanished bool, err error) {
	var out struct {
		Vanished bool `json:"vanished"`
	}
	err = c.decode(ctx, c.post("delete the object of", u, "/vanish", struct{}{}), &out)
	if userdb.KindOf(err) == userdb.NotFound {
		return false, nil
	}
	return out.Vanished, err
}
