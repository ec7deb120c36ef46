package wire_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// appRows are rows like those of an application: a few integers, a REAL, short texts and now and then a long
// one.
func appRows(n int) [][]wire.Value {
	random := rand.New(rand.NewPCG(3, 4))
	rows := make([][]wire.Value, n)
	for i := range rows {
		note := wire.TextValue(strings.Repeat("lorem ipsum ", random.IntN(12)))
		if i%50 == 0 {
			note = wire.TextValue(strings.Repeat("long text ", 400))
		}
		rows[i] = []wire.Value{
			wire.IntValue(int64(i)),
			wire.TextValue(fmt.Sprintf("game-%08d", i)),
			wire.IntValue(1_700_000_000_000 + int64(i)),
			wire.RealValue(random.Float64() * 100),
			note,
			wire.NullValue(),
		}
	}
	return rows
}

// cellBytes is the size that rates are given in: what the rows' cells and reals take.
func cellBytes(rows [][]wire.Value) int64 {
	n := 0
	for _, row := range rows {
		cells, reals := wire.AppendRow(nil, nil, row)
		n += len(cells) + len(reals)
	}
	return int64(n)
}

var benchColumns = []string{"rowid", "name", "created", "score", "note", "extra"}

func BenchmarkBatcher(b *testing.B) {
	for name, rows := range map[string][][]wire.Value{"app": appRows(20_000), "reals": realRows(20_000)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(cellBytes(rows))
			b.ReportAllocs()
			var batcher *wire.Batcher
			batcher = wire.NewBatcher(wire.DefaultLimits, 1<<20, func(body []byte, _ int) error {
				batcher.Recycle(body)
				return nil
			})
			for b.Loop() {
				_ = batcher.Table("t", benchColumns)
				for _, row := range rows {
					if err := batcher.Add(row); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func realRows(n int) [][]wire.Value {
	random := rand.New(rand.NewPCG(5, 6))
	rows := make([][]wire.Value, n)
	for i := range rows {
		rows[i] = make([]wire.Value, len(benchColumns))
		for j := range rows[i] {
			rows[i][j] = wire.RealValue(random.NormFloat64())
		}
	}
	return rows
}

func BenchmarkTableHasher(b *testing.B) {
	rows := appRows(20_000)
	b.SetBytes(cellBytes(rows))
	b.ReportAllocs()
	h := wire.NewTableHasher()
	for b.Loop() {
		for _, row := range rows {
			h.Add(row)
		}
		h.Sum()
	}
}

func BenchmarkDecodeRows(b *testing.B) {
	rows := appRows(20_000)
	var cells, reals []byte
	for _, row := range rows {
		cells, reals = wire.AppendRow(cells, reals, row)
	}
	b.SetBytes(int64(len(cells) + len(reals)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.DecodeRows(cells, reals, len(benchColumns), func([]wire.Value) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
