package doclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// routeHello and routeIDs are the routes that belong to no user.
const (
	routeHello = "/hello"
	routeIDs   = "/ids"
)

func ofNobody(route string) bool { return route == routeHello || route == routeIDs }

const (
	mediaJSON   = "application/json"
	mediaBinary = "application/octet-stream"

	// maxJSONAnswer bounds what is read into memory. The longest answer is a schema: all the CREATE texts of
	// one database.
	maxJSONAnswer = 64 << 20
	// maxErrorAnswer bounds an answer that is not a success.
	maxErrorAnswer = 1 << 20
)

// call is one message to the Worker.
type call struct {
	op      string
	user    userdb.UserID
	method  string
	route   string // behind wire.Prefix, or behind the user's part of it
	query   url.Values
	body    []byte
	media   string // of body
	binary  bool   // the answer is binary
	maxRead int64  // of the answer
	buffer  []byte // for the answer, used where it is large enough
	timeout time.Duration
	// steps: a composite request. One that failed at a step is not repeated: the single requests go on.
	steps bool
}

func (c *Client) url(m *call) string {
	u := *c.base
	route, raw := m.route, m.route
	if !ofNobody(m.route) {
		route = "/users/" + string(m.user) + m.route
		raw = "/users/" + url.PathEscape(string(m.user)) + m.route
	}
	u.RawPath = u.EscapedPath() + wire.Prefix + raw
	u.Path += wire.Prefix + route
	u.RawQuery = m.query.Encode()
	return u.String()
}

// do sends m, again where RetryPolicy says so, and returns the body of the answer.
func (c *Client) do(ctx context.Context, m *call) ([]byte, error) {
	if !ofNobody(m.route) {
		if _, err := userdb.ParseUserID(string(m.user)); err != nil {
			return nil, err
		}
	}
	for attempts, silences := 1, 0; ; attempts++ {
		start := time.Now()
		c.traffic.Called(userdb.ServiceWorker)
		answer, f := c.attempt(ctx, m)
		seen := Attempt{Op: m.op, User: m.user, Status: answer.status, Duration: time.Since(start)}
		if f == nil {
			c.observe(seen)
			return answer.body, nil
		}
		if ctx.Err() != nil {
			f = &failure{kind: userdb.Interrupted, err: context.Cause(ctx)}
		}
		seen.Kind = f.kind
		if f.silent {
			silences++
		}
		if m.steps && failedAtStep(f) || silences == mostSilences {
			f.again = false
		}
		if f.again && (f.most == 0 || attempts < f.most) {
			seen.Wait, seen.Again = c.retry.wait(attempts, f.retryAfter)
			seen.Again = seen.Again && fits(ctx, seen.Wait)
		}
		c.observe(seen)
		if f.throttled(seen.Status) {
			c.traffic.Throttled(userdb.ServiceWorker, c.now().Add(seen.Wait))
		}
		if !seen.Again {
			return nil, c.errorOf(m, c.onlyThisUser(ctx, m, f), attempts)
		}
		if err := c.sleep(ctx, seen.Wait); err != nil {
			return nil, c.errorOf(m, &failure{kind: userdb.Interrupted, err: context.Cause(ctx)}, attempts)
		}
	}
}

// failedAtStep says whether the Worker has answered at which step it stopped.
func failedAtStep(f *failure) bool {
	var remote *wire.RemoteError
	return errors.As(f.err, &remote) && wire.StepOf(remote.Details) != ""
}

// onlyThisUser tells a login that stands before one user's address from one that stands before everybody's: a
// fleet stops at the second only.
func (c *Client) onlyThisUser(ctx context.Context, m *call, f *failure) *failure {
	if !f.login || m.route == routeHello {
		return f
	}
	if _, err := c.Hello(ctx); err == nil {
		f.kind = userdb.EdgeBlocked
	}
	return f
}

type answer struct {
	status int
	body   []byte
}

func (c *Client) attempt(ctx context.Context, m *call) (answer, *failure) {
	ctx, cancel := context.WithTimeoutCause(ctx, m.timeout, errNoAnswer(m.timeout))
	defer cancel()
	body := &ownBody{reader: bytes.NewReader(m.body)}
	defer body.Close()
	req, err := c.request(ctx, m, body)
	if err != nil {
		return answer{}, &failure{kind: userdb.Internal, err: err}
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, connectionFailure(ctx, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return c.refusal(ctx, m, resp)
	}
	got, err := readAnswer(resp, m.maxRead, m.buffer)
	if err != nil {
		f := connectionFailure(ctx, err)
		if errors.Is(err, errTooLong) {
			f = &failure{kind: userdb.ProtocolError, err: err}
		}
		return answer{status: resp.StatusCode}, f
	}
	return answer{status: resp.StatusCode, body: got}, c.judge(resp, got, m.binary)
}

// refusal reads an error answer. Where the status says enough, it may be too long or cut off; where only its
// text says what is meant, what was cut off is no answer at all.
func (c *Client) refusal(ctx context.Context, m *call, resp *http.Response) (answer, *failure) {
	body, cut := io.ReadAll(io.LimitReader(resp.Body, maxErrorAnswer))
	f := c.judge(resp, body, m.binary)
	if cut != nil && f != nil && (f.kind == userdb.ProtocolError || f.kind == userdb.EdgeBlocked) {
		f = connectionFailure(ctx, cut)
	}
	return answer{status: resp.StatusCode, body: body}, f
}

func (c *Client) request(ctx context.Context, m *call, body io.ReadCloser) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, m.method, c.url(m), http.NoBody)
	if err != nil {
		return nil, err
	}
	req.Header = c.header.Clone()
	req.Header.Set(wire.VersionHeader, strconv.Itoa(wire.Version))
	req.Header.Set("Accept", mediaJSON)
	if m.binary {
		req.Header.Set("Accept", mediaBinary)
	}
	if m.body != nil {
		req.Body, req.ContentLength = body, int64(len(m.body))
		req.Header.Set("Content-Type", m.media)
	}
	return req, nil
}

// ownBody is a request body that nothing reads once it is closed. After a failed request the transport may
// still be writing the body. The caller must be free to fill the same memory with the next batch.
type ownBody struct {
	mu     sync.Mutex
	reader *bytes.Reader
	closed bool
}

func (b *ownBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, errors.New("the request is over")
	}
	return b.reader.Read(p)
}

func (b *ownBody) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	return nil
}

var errTooLong = errors.New("the answer is longer than any answer to this message")

func readAnswer(resp *http.Response, limit int64, buffer []byte) ([]byte, error) {
	if resp.ContentLength > limit {
		return nil, errTooLong
	}
	if need := resp.ContentLength + bytes.MinRead; need > int64(cap(buffer)) {
		buffer = make([]byte, 0, max(need, 2*int64(cap(buffer))))
	}
	out := bytes.NewBuffer(buffer[:0])
	n, err := out.ReadFrom(io.LimitReader(resp.Body, limit+1))
	if err == nil && n > limit {
		err = errTooLong
	}
	return out.Bytes(), err
}

func mediaType(resp *http.Response) string {
	media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return media
}

// decode reads the JSON of a successful answer.
func (c *Client) decode(ctx context.Context, m *call, into any) error {
	body, err := c.do(ctx, m)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return c.protocolError(m, fmt.Errorf("the answer is not the JSON of this message: %w", err))
	}
	return nil
}
