package capi

import (
	"context"
	"errors"
	"sync/atomic"
)

// Work counts the steps of SQLite's virtual machine under a context, on all connections that it watches. It
// says what a file costs, whatever machine it is on.
type Work struct {
	// Limit ends what goes beyond it, to progressSteps and the length of one step; 0 for none.
	Limit int64
	steps atomic.Int64
}

// Steps is how many were made.
func (w *Work) Steps() int64 { return w.steps.Load() }

// ErrTooMuchWork is the cause of an interrupt by a Limit.
var ErrTooMuchWork = errors.New("it takes more steps than it may")

type workKey struct{}

// WithWork lets w count what is done under the context.
func WithWork(ctx context.Context, w *Work) context.Context {
	return context.WithValue(ctx, workKey{}, w)
}

func workOf(ctx context.Context) *Work {
	w, _ := ctx.Value(workKey{}).(*Work)
	return w
}

// over counts some steps, and says whether there were too many.
func (w *Work) over() bool {
	return w != nil && w.steps.Add(progressSteps) > w.Limit && w.Limit > 0
}
