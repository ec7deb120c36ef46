package r2

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// fill puts n objects of the given size under prefix.
func fill(b *testing.B, c *Client, prefix string, n, size int) []userdb.ObjectKey {
	b.Helper()
	content := make([]byte, size)
	for i := range content {
		content[i] = byte(rand.Uint32())
	}
	keys := make([]userdb.ObjectKey, n)
	for i := range keys {
		keys[i] = userdb.ObjectKey(fmt.Sprintf("%s/%05d/database.sqlite", prefix, i))
		if _, err := c.Put(b.Context(), keys[i], bytes.NewReader(content), int64(size), PutOptions{}); err != nil {
			b.Fatal(err)
		}
	}
	return keys
}

// inParallel runs work for all keys on the given number of goroutines.
func inParallel(
	b *testing.B,
	keys []userdb.ObjectKey,
	workers int,
	work func(context.Context, userdb.ObjectKey) error,
) {
	queue := make(chan userdb.ObjectKey)
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for key := range queue {
				if err := work(b.Context(), key); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for _, key := range keys {
		queue <- key
	}
	close(queue)
	running.Wait()
}

func BenchmarkGet(b *testing.B) {
	c, err := New(localConfig())
	if err != nil {
		b.Fatal(err)
	}
	const n, size = 40, 1_200_000
	keys := fill(b, c, b.Name(), n, size)
	for _, workers := range []int{1, 8} {
		b.Run(fmt.Sprintf("parallel=%d", workers), func(b *testing.B) {
			b.SetBytes(n * size)
			for b.Loop() {
				inParallel(b, keys, workers, func(ctx context.Context, key userdb.ObjectKey) error {
					_, err := c.Get(ctx, key, "", io.Discard)
					return err
				})
			}
		})
	}
}

func BenchmarkFindUsers(b *testing.B) {
	c, err := New(localConfig())
	if err != nil {
		b.Fatal(err)
	}
	const n = 1000
	root := b.Name() + "/"
	keys := fill(b, c, b.Name(), n, 100)
	perUser := func(b *testing.B) {
		b.ReportMetric(float64(b.N)*n/b.Elapsed().Seconds(), "users/s")
	}
	b.Run("list", func(b *testing.B) {
		for b.Loop() {
			if err := c.List(b.Context(), root, "/", func([]Object, []string) error { return nil }); err != nil {
				b.Fatal(err)
			}
		}
		perUser(b)
	})
	for _, workers := range []int{1, 8} {
		b.Run(fmt.Sprintf("head/parallel=%d", workers), func(b *testing.B) {
			for b.Loop() {
				inParallel(b, keys, workers, func(ctx context.Context, key userdb.ObjectKey) error {
					_, err := c.Head(ctx, key)
					return err
				})
			}
			perUser(b)
		})
	}
}
