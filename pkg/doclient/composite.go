package doclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Import claims the user and imports it in one request. The request may be repeated: the claim's id makes it
// the same claim, and each further step finds its work done. After a failure the single Claim, with the same
// request, says whether the claim was granted.
func (c *Client) Import(
	ctx context.Context,
	u userdb.UserID,
	req wire.ImportRequest,
) (wire.Imported, error) {
	body, err := req.Encode()
	if err != nil {
		return wire.Imported{}, err
	}
	m := &call{
		op:      "import",
		user:    u,
		method:  http.MethodPost,
		route:   "/" + wire.CompositeImport,
		body:    body,
		media:   mediaBinary,
		maxRead: maxJSONAnswer,
		timeout: c.timeouts.Rows,
		steps:   true,
	}
	var out wire.Imported
	if err := c.decode(ctx, m, &out); err != nil {
		return wire.Imported{}, err
	}
	if out.Claimed.Outcome == wire.OutcomeImport && out.Finish == nil {
		return out, c.protocolError(m, errors.New("a claim to import without the import"))
	}
	if out.Digest != nil && out.Digest.Complete {
		if err := c.checkDigest(m, *out.Digest); err != nil {
			return out, err
		}
	}
	return out, c.checkStatus(m, out.Claimed.Status)
}

// Switch fences the file and opens the Durable Object. Precondition: the file is not, or no longer, the
// version that was read, and nothing is fenced. The request may be repeated: it finds its own fence.
func (c *Client) Switch(
	ctx context.Context,
	u userdb.UserID,
	req wire.SwitchRequest,
) (wire.Switched, error) {
	m := c.post("switch", u, "/"+wire.CompositeSwitch, req)
	m.timeout, m.steps = c.timeouts.Rows, true // it has megabytes to move
	var out wire.Switched
	if err := c.decode(ctx, m, &out); err != nil {
		return wire.Switched{}, err
	}
	if out.Status.Phase != userdb.Active || out.Status.Gen != req.Gen {
		return out, c.protocolError(
			m,
			fmt.Errorf("phase %.20q of claim %d after the switch of claim %d", out.Status.Phase, out.Status.Gen, req.Gen),
		)
	}
	return out, c.checkStatus(m, out.Status)
}
