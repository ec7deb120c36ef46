// Package faultproxy stands between a client and the local runtime and does to chosen requests what networks,
// platforms and kill -9 do: lose them, lose their answers, repeat them, delay them, answer something else.
// Tests walk it over every request of a command.
package faultproxy

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// lifecycleRules is the one query that a path is told with.
const lifecycleRules = "?lifecycle"

// Request is what a Rule sees of one request. N counts from 0 in the order of arrival since the last Reset.
type Request struct {
	N      int
	Method string
	Path   string
}

// Name is the request without what varies from run to run: "R2 PUT", "KV list", "admin claim" and so on.
func (r Request) Name() string {
	switch {
	case strings.Contains(r.Path, "/.dbmigrate/probe/"): // what is put and deleted only to see whether that is allowed
		return "R2 probe " + r.Method
	case strings.HasSuffix(r.Path, lifecycleRules): // no object's, and no listing
		return "R2 lifecycle"
	case strings.Contains(r.Path, "/r2/s3/"):
		return "R2 " + r.Method
	case strings.Contains(r.Path, "/storage/kv/"):
		return "KV " + r.Method + " " + lastSegment(r.Path)
	case strings.Contains(r.Path, "/_dbmigrate/"):
		return "admin " + lastSegment(r.Path)
	}
	return r.Method + " " + r.Path
}

func lastSegment(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// Fault is what happens to a request. The zero Fault lets it pass.
type Fault struct {
	// Before runs before the request goes on; After when its effect has happened and before its answer goes
	// back.
	Before, After func()
	// Repeat sends the request on a second time, after the first; the first answer counts.
	Repeat bool
	// Swallow does not send the request on at all. With Late, Release sends it on later.
	Swallow, Late bool
	// Cut closes the connection instead of answering; CutHalf after half of the answer's body.
	Cut, CutHalf bool
	// Truncate answers the first half of the body as if that were all; Drip sends the body in ten pieces,
	// over that time.
	Truncate bool
	Drip     time.Duration
	// Status, Header and Body answer in place of the real answer.
	Status int
	Header http.Header
	Body   string
	// Alter changes the body of the real answer.
	Alter func([]byte) []byte
	// Slow delays the answer.
	Slow time.Duration
}

// Rule decides about each request.
type Rule func(Request) Fault

// transport changes nothing on the way: no compression of its own, no connection kept that the upstream may
// have closed.
var transport = &http.Transport{DisableCompression: true, DisableKeepAlives: true}

// Proxy forwards to one upstream. Its methods may be called at any time.
type Proxy struct {
	server   *httptest.Server
	upstream *url.URL

	mu    sync.Mutex
	rule  Rule
	seen  []Request
	late  []*http.Request
	alone []string
	close sync.Once
}

// New starts a proxy in front of upstream, a URL without a path.
func New(upstream string) (*Proxy, error) {
	u, err := url.Parse(upstream)
	if err != nil {
		return nil, err
	}
	p := &Proxy{upstream: u}
	p.server = httptest.NewServer(http.HandlerFunc(p.serve))
	return p, nil
}

// URL is the proxy's own address. Requests keep their Host, so that signatures over it stay valid.
func (p *Proxy) URL() string { return p.server.URL }

// Close ends the proxy.
func (p *Proxy) Close() { p.close.Do(p.server.Close) }

// Reset sets the rule and forgets what was seen.
func (p *Proxy) Reset(rule Rule) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.rule, p.seen, p.late = rule, nil, nil
}

// AskedAgain is in the address of questions beside the greeting.
const AskedAgain = "/hello?again="

// LeaveAlone lets requests with one of the parts in their address pass, neither seen nor disturbed. It is for
// reports and questions beside others: their order among the others is not fixed.
func (p *Proxy) LeaveAlone(parts ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.alone = parts
}

// Seen lists the requests since the last Reset.
func (p *Proxy) Seen() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Request(nil), p.seen...)
}

// Release sends on what was swallowed with Late, and says how many requests that were.
func (p *Proxy) Release() (int, error) {
	p.mu.Lock()
	late := p.late
	p.late = nil
	p.mu.Unlock()
	for _, r := range late {
		answer, err := transport.RoundTrip(r)
		if err != nil {
			return 0, err
		}
		answer.Body.Close()
	}
	return len(late), nil
}

func (p *Proxy) decide(r *http.Request) Fault {
	p.mu.Lock()
	defer p.mu.Unlock()
	if slices.ContainsFunc(p.alone, func(part string) bool { return strings.Contains(r.URL.RequestURI(), part) }) {
		return Fault{}
	}
	seen := Request{N: len(p.seen), Method: r.Method, Path: r.URL.Path}
	if r.URL.Query().Has("lifecycle") {
		seen.Path += lifecycleRules
	}
	p.seen = append(p.seen, seen)
	if p.rule == nil {
		return Fault{}
	}
	return p.rule(seen)
}

func (p *Proxy) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client is gone
	}
	f := p.decide(r)
	run(f.Before)
	if f.Late {
		p.mu.Lock()
		p.late = append(p.late, p.onward(r, body))
		p.mu.Unlock()
	}
	var answer *http.Response
	if !f.Swallow && !f.Late {
		if answer, err = p.forward(r, body, f.Repeat); err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer answer.Body.Close()
	}
	run(f.After)
	time.Sleep(f.Slow)
	p.answer(w, f, answer)
}

func run(f func()) {
	if f != nil {
		f()
	}
}

// onward is the request as the upstream gets it, independent of the client's connection.
func (p *Proxy) onward(r *http.Request, body []byte) *http.Request {
	out := r.Clone(context.Background())
	out.RequestURI = ""
	out.URL.Scheme, out.URL.Host = p.upstream.Scheme, p.upstream.Host
	out.Body = io.NopCloser(bytes.NewReader(body))
	out.ContentLength = int64(len(body))
	return out
}

func (p *Proxy) forward(r *http.Request, body []byte, repeat bool) (*http.Response, error) {
	answer, err := transport.RoundTrip(p.onward(r, body))
	if err != nil || !repeat {
		return answer, err
	}
	second, err := transport.RoundTrip(p.onward(r, body))
	if err != nil {
		answer.Body.Close()
		return nil, err
	}
	second.Body.Close()
	return answer, nil
}

func (p *Proxy) answer(w http.ResponseWriter, f Fault, answer *http.Response) {
	switch {
	case f.Status != 0:
		for name, values := range f.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(f.Status)
		io.WriteString(w, f.Body)
	case f.Cut || answer == nil:
		cut(w)
	default:
		for name, values := range answer.Header {
			w.Header()[name] = values
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			cut(w)
			return
		}
		if f.Alter != nil {
			body = f.Alter(body)
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		}
		if f.Truncate {
			body = body[:len(body)/2]
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		}
		if f.CutHalf {
			w.Header().Set("Content-Length", strconv.Itoa(len(body)))
			w.WriteHeader(answer.StatusCode)
			w.Write(body[:len(body)/2])
			http.NewResponseController(w).Flush()
			cut(w)
			return
		}
		w.WriteHeader(answer.StatusCode)
		drip(w, body, f.Drip)
	}
}

// drip writes the body at once, or in pieces when it is to take time.
func drip(w http.ResponseWriter, body []byte, over time.Duration) {
	const pieces = 10
	for left := pieces; over > 0 && left > 0; left-- {
		n := len(body) / left
		w.Write(body[:n])
		http.NewResponseController(w).Flush()
		body = body[n:]
		time.Sleep(over / pieces)
	}
	w.Write(body)
}

// cut resets the connection.
func cut(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}
