// Package localruntime runs a Worker on Cloudflare's local runtime (`wrangler dev`), with the R2 buckets over
// S3 and the KV namespaces over the API's shape. It is one process group, which ends with this process.
package localruntime

import (
	"context"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// startTimeout bounds one start when the caller's context does not: a cold machine needs several times the
// usual 2 s.
const startTimeout = 5 * time.Minute

// Options say what to run.
type Options struct {
	Tools       Tools
	Config      string            // a wrangler configuration; "" is that of the folder
	Environment string            // of the configuration; "" is the top level
	PersistDir  string            // state folder
	Port        string            // "0" is a free one
	Vars        map[string]string // of the Worker, besides those of the configuration
	Temporary   []string          // files and folders to remove when this process dies without calling Stop
	Log         io.Writer         // receives wrangler's output; nil: nowhere (an error quotes its end)
}

// Runtime is a running local Cloudflare.
type Runtime struct {
	URL        string // of the Worker, without a final slash
	S3Endpoint string // for path-style S3 clients
	KVBaseURL  string // for Cloudflare API clients; its paths have no /accounts/{id}

	process *process
}

// Start returns when the Worker answers. ctx bounds the start only; end the runtime with Stop. When this
// process dies without calling Stop, a watchdog ends the runtime.
func Start(ctx context.Context, options Options) (*Runtime, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	p, url, err := startWrangler(
		ctx,
		options.Tools,
		options.args(),
		wranglerEnv(options.PersistDir),
		options.Temporary,
		options.Log,
	)
	if err != nil {
		return nil, err
	}
	return &Runtime{
		URL:        url,
		S3Endpoint: url + "/cdn-cgi/local/r2/s3",
		KVBaseURL:  url + "/cdn-cgi/local/explorer/api",
		process:    p,
	}, nil
}

// Port is where it listens, for a start at the same place.
func (r *Runtime) Port() string { return r.URL[strings.LastIndex(r.URL, ":")+1:] }

// Stop ends every process of the runtime. A second call does nothing.
func (r *Runtime) Stop() error { return r.process.stop() }

// Kill ends the runtime as kill -9 does, wherever it is at that moment.
func (r *Runtime) Kill() error { return r.process.kill() }

// Gone says whether every process has ended.
func (r *Runtime) Gone() bool { return r.process.isGone() }

func (o Options) args() []string {
	args := []string{
		"dev", "--local", "--ip", "127.0.0.1", "--port", o.Port, "--inspector-port", "0",
		"--persist-to", o.PersistDir, "--show-interactive-dev-session=false",
	}
	if o.Config != "" {
		args = append(args, "--config", o.Config)
	}
	if o.Environment != "" {
		args = append(args, "--env", o.Environment)
	}
	for _, name := range slices.Sorted(maps.Keys(o.Vars)) {
		args = append(args, "--var", name+":"+o.Vars[name])
	}
	return args
}
