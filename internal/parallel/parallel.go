// Package parallel does many small things side by side.
package parallel

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// Each calls do for 0 to n-1, atOnce at a time. After an error, and when ctx ends, it starts no more, and
// do's ctx ends. It returns the first error, not those that its cancellation brought about.
func Each(ctx context.Context, n, atOnce int, do func(ctx context.Context, i int) error) error {
	group, inside := errgroup.WithContext(ctx)
	group.SetLimit(max(1, atOnce))
	for i := range n {
		if inside.Err() != nil {
			break
		}
		group.Go(func() error {
			if err := inside.Err(); err != nil {
				return err
			}
			return do(inside, i)
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return ctx.Err()
}

// Ahead begins to ask at once. What it returns waits for the answer, and may be called again.
func Ahead[T any](ask func() (T, error)) func() (T, error) {
	var value T
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		value, err = ask()
	}()
	return func() (T, error) {
		<-done
		return value, err
	}
}

// IsCancelled says that an error is no failure, but somebody's wish to stop.
func IsCancelled(err error) bool {
	return userdb.KindOf(err) == userdb.Interrupted || errors.Is(err, context.Canceled)
}
