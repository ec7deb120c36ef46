package main

import (
	"context"
	"sync"
)

// sideBySide calls do for 0..n-1, a few at once, and returns the first error in order; after an error, and when ctx ends, no more are begun.
func sideBySide(ctx context.Context, n, atOnce int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, n)
	slots := make(chan struct{}, atOnce)
	var wg sync.WaitGroup
	for i := range n {
		slots <- struct{}{}
		if errs[i] = ctx.Err(); errs[i] != nil {
			break
		}
		wg.Add(1)
		go func() {
			defer wg.Done()
			defer func() { <-slots }()
			if errs[i] = do(ctx, i); errs[i] != nil {
				cancel()
			}
		}()
	}
	wg.Wait()
	return firstCause(errs)
}

// firstCause prefers an error to those that its cancellation brought about.
func firstCause(errs []error) error {
	var cancelled error
	for _, err := range errs {
		switch {
		case err == nil:
		case isCancelled(err):
			cancelled = err
		default:
			return err
		}
	}
	return cancelled
}
