//go:build !unix

package localruntime

import (
	"context"
	"errors"
	"io"
)

// process is never made here: wrangler's children cannot be ended together.
type process struct{}

func startWrangler(context.Context, Tools, []string, []string, []string, io.Writer) (*process, string, error) {
	return nil, "", errors.New("start wrangler: this needs Linux or macOS (Windows has WSL)")
}

func (*process) stop() error  { return nil }
func (*process) kill() error  { return nil }
func (*process) isGone() bool { return true }
