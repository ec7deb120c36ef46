package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// compared are requests of two kinds, by the pair of slices of time in which they were made.
type compared struct{ alone, beside [][]time.Duration }

func (c *compared) add(alone, beside []time.Duration) {
	c.alone, c.beside = append(c.alone, alone), append(c.beside, beside)
}

// ratio is how many times as long the quantile is beside as alone.
func (c *compared) ratio(q float64) float64 {
	alone, beside := slices.Concat(c.alone...), slices.Concat(c.beside...)
	return quantile(beside, q).Seconds() / quantile(alone, q).Seconds()
}

// interval holds nine in ten of the ratios that the same slices give if they are drawn again, with putting
// back. Requests that take long come in bursts, so slices are drawn, not requests.
func (c *compared) interval(q float64) string {
	const draws = 400
	dice := rand.New(rand.NewPCG(1, uint64(len(c.alone))))
	all := make([]float64, draws)
	for i := range all {
		var drawn compared
		for range c.alone {
			n := dice.IntN(len(c.alone))
			drawn.add(c.alone[n], c.beside[n])
		}
		all[i] = drawn.ratio(q)
	}
	slices.Sort(all)
	return fmt.Sprintf("%.2f to %.2f", all[draws/20], all[draws-1-draws/20])
}
