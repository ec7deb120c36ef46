package sandbox

import (
	"context"
	"testing"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/preflight"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// BenchmarkFleet says how many users a second are checked: here, in processes of their own, and in these
// while hostile files hold three of them. Run it by hand: go test ./internal/sandbox -run - -bench Fleet.
func BenchmarkFleet(b *testing.B) {
	path := well(b)
	b.Run("here", func(b *testing.B) {
		fleet(b, func(ctx context.Context) error {
			_, err := preflight.Check(ctx, path, wire.DefaultLimits)
			return err
		})
	})
	p := NewPool(Budget{Floor: time.Hour, Memory: short.Memory})
	defer p.Close()
	check := func(ctx context.Context) error {
		_, err := p.Preflight(ctx, path, wire.DefaultLimits)
		return err
	}
	b.Run("processes", func(b *testing.B) { fleet(b, check) })
	b.Run("processes, three of them held", func(b *testing.B) {
		hanging, stop := context.WithCancel(context.Background())
		ended := make(chan struct{})
		const held = 3
		for range held {
			file := makeDatabase(b, hostile["a function that takes long"].statements...)
			go func() {
				p.Preflight(hanging, file, wire.DefaultLimits) // it is interrupted
				ended <- struct{}{}
			}()
		}
		fleet(b, check)
		stop()
		for range held {
			<-ended
		}
	})
}

func fleet(b *testing.B, check func(context.Context) error) {
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := check(b.Context()); err != nil {
				b.Error(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "users/s")
}
