package doclient

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

const (
	// digestBudgetMs is how long the Durable Object works on one digest message; far below the limits on CPU
	// and wall time of a request.
	digestBudgetMs = 5000
	// maxMovingDigests is how often in a row the database may change under the digest before Digest gives up.
	maxMovingDigests = 20
	// maxIdleFinishes is how often in a row finish may report no progress.
	maxIdleFinishes = 100
	// maxClearings is far more than the largest database takes.
	maxClearings = 1000
	// pageSlack is how much longer than asked for an export page may be: its header and one row.
	pageSlack = 16 << 20
)

// genBody is the body of messages that carry only the claim.
type genBody struct {
	Gen userdb.Claim `json:"gen"`
}

// Hello asks the Worker who it is. A protocol version that this program does not speak is a ProtocolError.
func (c *Client) Hello(ctx context.Context) (wire.Hello, error) { return c.hello(ctx, nil) }

// HelloAgain asks beside a first Hello: another version may answer this time.
func (c *Client) HelloAgain(ctx context.Context) (wire.Hello, error) {
	return c.hello(ctx, url.Values{"again": {"1"}})
}

// HelloThrough asks, beside, the Worker's router for one user.
func (c *Client) HelloThrough(ctx context.Context, u userdb.UserID) (wire.Hello, error) {
	return c.hello(ctx, url.Values{"through": {string(u)}})
}

func (c *Client) hello(ctx context.Context, query url.Values) (wire.Hello, error) {
	m := &call{
		op:      "greet",
		method:  http.MethodGet,
		route:   routeHello,
		query:   query,
		maxRead: maxJSONAnswer,
		timeout: c.timeouts.Message,
	}
	var hello wire.Hello
	if err := c.decode(ctx, m, &hello); err != nil {
		return wire.Hello{}, err
	}
	if err := checkVersion(hello); err != nil {
		return wire.Hello{}, c.protocolError(m, err)
	}
	if l := hello.Limits; l.BatchBytes <= 0 || l.FrameBytes <= 0 || l.CellBytes <= 0 || l.Columns <= 0 {
		return wire.Hello{}, c.protocolError(m, errors.New("the Worker states no limits"))
	}
	return hello, nil
}

// ObjectIDs are the ids of users' Durable Objects, in the users' order. It touches none of them. The Worker
// says in hello how many it tells at once.
func (c *Client) ObjectIDs(ctx context.Context, users []userdb.UserID) ([]string, error) {
	m := c.post("tell the ids of objects", "", routeIDs, map[string][]userdb.UserID{"users": users})
	m.media = mediaBinary // firewalls look for SQL in text, and a user's id may be any
	var out struct {
		IDs []string `json:"ids"`
	}
	if err := c.decode(ctx, m, &out); err != nil {
		return nil, err
	}
	if len(out.IDs) != len(users) {
		return nil, c.protocolError(m, fmt.Errorf("%d users were named, and %d ids are told", len(users), len(out.IDs)))
	}
	return out.IDs, nil
}

// checkVersion says which side to update.
func checkVersion(hello wire.Hello) error {
	switch p := hello.Protocol; {
	case p > wire.Version:
		return fmt.Errorf(
			"the Worker %.40q speaks protocol %d and this program %d: update dbmigrate",
			hello.Worker,
			p,
			wire.Version,
		)
	case p < wire.OldestVersion:
		return fmt.Errorf(
			"the Worker %.40q speaks protocol %d and this program no older one than %d: deploy the newer Worker first",
			hello.Worker,
			p,
			wire.OldestVersion,
		)
	}
	return nil
}

// Status reads the state of the user's Durable Object.
func (c *Client) Status(ctx context.Context, u userdb.UserID) (wire.Status, error) {
	return c.status(ctx, c.get("read status", u, "/status"))
}

// Claim takes the user over. A lost race is a Precondition error (wire kind claim-conflict): read the status
// and decide again. req.ID must be random and new for every claim, and lets the client repeat it.
func (c *Client) Claim(ctx context.Context, u userdb.UserID, req wire.ClaimRequest) (wire.Claimed, error) {
	m := c.working(c.post("claim", u, "/claim", req), 0)
	var out wire.Claimed
	if err := c.decode(ctx, m, &out); err != nil {
		return wire.Claimed{}, err
	}
	if err := c.checkStatus(m, out.Status); err != nil {
		return out, err
	}
	out.Status = c.cleared(ctx, u, out.Status)
	return out, nil
}

// cleared goes on with deleting what was given up, where one request was not enough. The claim stands and
// nobody reads the rest, so an error here is no failure of the message: the next claim goes on.
func (c *Client) cleared(ctx context.Context, u userdb.UserID, st wire.Status) wire.Status {
	for range maxClearings {
		if !st.Clearing {
			break
		}
		route := "/reset"
		if st.Phase == userdb.Empty {
			route = "/release"
		}
		next, err := c.status(ctx, c.working(c.post("clear", u, route, genBody{st.Gen}), 0))
		if err != nil || next.Gen != st.Gen {
			break
		}
		st = next
	}
	return st
}

// clearedStatus is status of a message that may leave something to clear.
func (c *Client) clearedStatus(ctx context.Context, m *call) (wire.Status, error) {
	st, err := c.status(ctx, m)
	if err == nil {
		st = c.cleared(ctx, m.user, st)
	}
	return st, err
}

// Reset empties an import that is under way, or ends a rollback after its export, and starts over.
func (c *Client) Reset(ctx context.Context, u userdb.UserID, g userdb.Claim) (wire.Status, error) {
	return c.clearedStatus(ctx, c.working(c.post("reset", u, "/reset", genBody{g}), 0))
}

// Schema sends the schema. Refused: SQLite in the Durable Object does not take it.
func (c *Client) Schema(
	ctx context.Context,
	u userdb.UserID,
	g userdb.Claim,
	s wire.Schema,
) (wire.Status, error) {
	body := struct {
		Gen    userdb.Claim `json:"gen"`
		Schema wire.Schema  `json:"schema"`
	}{g, s}
	m := c.post("send schema", u, "/schema", body)
	m.media = mediaBinary // firewalls look for SQL in text
	return c.status(ctx, m)
}

// Rows sends batch number seq. When it returns, whatever the outcome, nothing reads batch any more.
func (c *Client) Rows(
	ctx context.Context,
	u userdb.UserID,
	g userdb.Claim,
	seq int64,
	batch []byte,
) (wire.RowsAnswer, error) {
	query := url.Values{"gen": {strconv.FormatUint(uint64(g), 10)}, "seq": {strconv.FormatInt(seq, 10)}}
	m := &call{
		op:      "send rows",
		user:    u,
		method:  http.MethodPost,
		route:   "/rows",
		query:   query,
		body:    batch,
		media:   mediaBinary,
		maxRead: maxJSONAnswer,
		timeout: c.timeouts.Rows,
	}
	var out wire.RowsAnswer
	if err := c.decode(ctx, m, &out); err != nil {
		return wire.RowsAnswer{}, err
	}
	if out.Seq != seq {
		return wire.RowsAnswer{}, c.protocolError(
			m,
			fmt.Errorf("batch %d was sent and %d is acknowledged", seq, out.Seq),
		)
	}
	return out, nil
}

// Finish says how many batches there were and repeats until all indexes, triggers and views are there.
func (c *Client) Finish(ctx context.Context, u userdb.UserID, g userdb.Claim, batches int64) error {
	body := struct {
		Gen     userdb.Claim `json:"gen"`
		Batches int64        `json:"batches"`
	}{g, batches}
	m := c.working(c.post("finish import", u, "/finish", body), batches*wire.DefaultLimits.BatchBytes)
	for idle, last := 0, -1; idle < maxIdleFinishes; idle++ {
		var out wire.FinishAnswer
		if err := c.decode(ctx, m, &out); err != nil {
			return err
		}
		if out.Done {
			return nil
		}
		if last < 0 || out.Remaining < last {
			idle, last = 0, out.Remaining
		}
	}
	return c.protocolError(m, fmt.Errorf("no progress in %d answers", maxIdleFinishes))
}

// Digest repeats until the Durable Object has digested all that it holds. What it computed for its present
// content before counts: it knows of every write that goes through it. A database that is written to faster
// than it can be digested is a Conflict.
func (c *Client) Digest(ctx context.Context, u userdb.UserID) (wire.DigestReport, error) {
	return c.digest(ctx, u, false)
}

// FreshDigest is Digest computed again from the tables. It also sees what was changed past the Durable
// Object's own code: by an operator's console, a restored storage, a defect.
func (c *Client) FreshDigest(ctx context.Context, u userdb.UserID) (wire.DigestReport, error) {
	return c.digest(ctx, u, true)
}

type digestBody struct {
	BudgetMs int  `json:"budgetMs"`
	Fresh    bool `json:"fresh,omitempty"`
}

func (c *Client) digest(ctx context.Context, u userdb.UserID, fresh bool) (wire.DigestReport, error) {
	m := c.working(c.post("digest", u, "/digest", digestBody{digestBudgetMs, fresh}), 0)
	lastWrites := int64(-1)
	for moving := 0; moving < maxMovingDigests; {
		var out wire.DigestReport
		if err := c.decode(ctx, m, &out); err != nil {
			return wire.DigestReport{}, err
		}
		if out.Complete {
			return out, c.checkDigest(m, out)
		}
		if out.Writes == lastWrites {
			moving = 0
		} else {
			moving++
		}
		lastWrites = out.Writes
		m = c.working(
			c.post("digest", u, "/digest", digestBody{BudgetMs: digestBudgetMs}),
			0,
		) // goes on with what the first message began
	}
	return wire.DigestReport{}, &userdb.Error{Op: m.op, Thing: c.thing(m), Kind: userdb.Conflict,
		Err: errors.New(
			"the database is written to faster than it can be digested",
		), Hint: "try again when the user is less busy"}
}

func (c *Client) checkDigest(m *call, r wire.DigestReport) error {
	if r.Digest == nil {
		return c.protocolError(m, errors.New("a complete digest without the digest"))
	}
	if err := r.Digest.Validate(); err != nil {
		return c.protocolError(m, err)
	}
	return nil
}

// Range reads the digest of a range of rows.
func (c *Client) Range(
	ctx context.Context,
	u userdb.UserID,
	req wire.RangeRequest,
) (wire.RangeDigest, error) {
	var out wire.RangeDigest
	err := c.decode(ctx, c.post("digest a range of", u, "/range", req), &out)
	return out, err
}

// Ready tells the Durable Object, behind the fence, which digest the file has; it compares with its own.
// Another one is a Mismatch.
func (c *Client) Ready(
	ctx context.Context,
	u userdb.UserID,
	g userdb.Claim,
	d wire.DatabaseDigest,
	r wire.Receipt,
) (wire.Status, error) {
	body := struct {
		Gen     userdb.Claim        `json:"gen"`
		Digest  wire.DatabaseDigest `json:"digest"`
		Receipt wire.Receipt        `json:"receipt"`
	}{g, d, r}
	return c.status(ctx, c.post("make ready", u, "/ready", body))
}

// Mark lets the Worker replace the user's file by itself under a fence. Precondition: the file is not, or no
// longer, the version that was read. A message that is repeated finds the work of the one before and reports
// Precondition, too: read back before concluding that somebody else wrote.
func (c *Client) Mark(ctx context.Context, u userdb.UserID, req wire.MarkRequest) (userdb.ETag, error) {
	m := c.post("mark the file of", u, "/mark", req)
	m.timeout = c.timeouts.Rows // it has megabytes to move, or more
	m = c.working(m, 0)
	var out wire.Marked
	if err := c.decode(ctx, m, &out); err != nil {
		return "", err
	}
	if out.ETag != req.MD5 {
		return "", c.protocolError(
			m,
			fmt.Errorf(
				"the bytes under the mark have MD5 %s, and the Worker answers ETag %.40q",
				req.MD5,
				out.ETag,
			),
		)
	}
	return userdb.ETag(`"` + out.ETag + `"`), nil
}

// Fence lets the Worker fence the user's file as it is by then. Precondition: the application was faster
// every time. Superseded: a newer command is there. A message that is repeated fences once more, which is the
// same.
func (c *Client) Fence(ctx context.Context, u userdb.UserID, req wire.FenceRequest) (wire.Fenced, error) {
	m := c.post("fence the file of", u, "/fence", req)
	m.timeout = c.timeouts.Rows
	var out wire.Fenced
	if err := c.decode(ctx, m, &out); err != nil {
		return wire.Fenced{}, err
	}
	if out.ETag == "" || out.Source == "" {
		return wire.Fenced{}, c.protocolError(m, errors.New("the Worker names no ETag"))
	}
	return out, nil
}

// Names asks the Worker, which sees the object as it is, for the names of what S3 would not carry as it is.
// It also tells which version that is. NotFound: the Worker does not know the route, or has no bucket.
func (c *Client) Names(ctx context.Context, u userdb.UserID) (wire.FileSeen, error) {
	var out wire.FileSeen
	err := c.decode(ctx, c.get("read the names of", u, "/names"), &out)
	return out, err
}

// Activate makes the Durable Object the side that serves the user.
func (c *Client) Activate(ctx context.Context, u userdb.UserID, g userdb.Claim) (wire.Status, error) {
	return c.status(ctx, c.post("activate", u, "/activate", genBody{g}))
}

// ExportSchema reads the schema as the Durable Object has it now.
func (c *Client) ExportSchema(ctx context.Context, u userdb.UserID) (wire.ExportSchema, error) {
	var out wire.ExportSchema
	err := c.decode(ctx, c.get("export schema of", u, "/export/schema"), &out)
	return out, err
}

// ExportRows reads one page of a table. Each of the page checks its cells.
func (c *Client) ExportRows(
	ctx context.Context,
	u userdb.UserID,
	req wire.ExportRequest,
) (*wire.ExportPage, error) {
	m := c.post("export rows of", u, "/export/rows", req)
	m.binary = true
	m.maxRead = req.MaxBytes + pageSlack
	m.buffer = req.Buffer
	body, err := c.do(ctx, m)
	if err != nil {
		return nil, err
	}
	page, err := wire.ParseExportPage(body)
	if err != nil {
		return nil, c.protocolError(m, err)
	}
	if page.Table != req.Table {
		return nil, c.protocolError(
			m,
			fmt.Errorf("table %.80q was asked for and %.80q came", req.Table, page.Table),
		)
	}
	return page, nil
}

// Release empties the Durable Object after its content went back to the file.
func (c *Client) Release(ctx context.Context, u userdb.UserID, g userdb.Claim) (wire.Status, error) {
	return c.clearedStatus(ctx, c.working(c.post("release", u, "/release", genBody{g}), 0))
}

// Thaws reads which rows the application wants back in the file.
func (c *Client) Thaws(ctx context.Context, u userdb.UserID) ([]wire.Thaw, error) {
	var out wire.Thaws
	err := c.decode(ctx, c.get("read the requests to thaw of", u, "/thaws"), &out)
	return out.Thaws, err
}

// Merge tells the sealed Durable Object of a split user that the PUT of the whole file comes next: the file
// is under its fence.
func (c *Client) Merge(ctx context.Context, u userdb.UserID, g userdb.Claim) (wire.Status, error) {
	return c.status(ctx, c.post("merge", u, "/merge", genBody{g}))
}

func (c *Client) get(op string, u userdb.UserID, route string) *call {
	return &call{
		op:      op,
		user:    u,
		method:  http.MethodGet,
		route:   route,
		maxRead: maxJSONAnswer,
		timeout: c.timeouts.Message,
	}
}

func (c *Client) post(op string, u userdb.UserID, route string, body any) *call {
	encoded, err := json.Marshal(body)
	if err != nil {
		panic("doclient: " + err.Error()) // messages hold only strings, numbers and valid values
	}
	return &call{
		op:      op,
		user:    u,
		method:  http.MethodPost,
		route:   route,
		body:    encoded,
		media:   mediaJSON,
		maxRead: maxJSONAnswer,
		timeout: c.timeouts.Message,
	}
}

func (c *Client) status(ctx context.Context, m *call) (wire.Status, error) {
	var out wire.Status
	if err := c.decode(ctx, m, &out); err != nil {
		return wire.Status{}, err
	}
	return out, c.checkStatus(m, out)
}

func (c *Client) checkStatus(m *call, s wire.Status) error {
	c.remember(m.user, s)
	switch s.Phase {
	case userdb.Empty, userdb.Importing, userdb.Ready, userdb.Active, userdb.Sealed:
		return nil
	}
	if s.Phase.Split() {
		return nil
	}
	return c.protocolError(m, fmt.Errorf("phase %.20q is unknown", s.Phase))
}
