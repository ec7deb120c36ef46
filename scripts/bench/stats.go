package main

import (
	"fmt"
	"slices"
	"time"
)

// median of no values is zero.
func median(values []time.Duration) time.Duration { return quantile(values, 0.5) }

// quantile is the value below which the share q of the values lies, by the nearest rank.
func quantile(values []time.Duration, q float64) time.Duration {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

// ratios divides pair by pair: what slowed the machine down in one round slowed both sides of it.
func ratios(of, by []time.Duration) []float64 {
	out := make([]float64, min(len(of), len(by)))
	for i := range out {
		out[i] = of[i].Seconds() / by[i].Seconds()
	}
	return out
}

func medianRatio(of, by []time.Duration) float64 {
	sorted := slices.Sorted(slices.Values(ratios(of, by)))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)/2]
}

// spread is the smallest and the largest ratio of the pairs.
func spread(of, by []time.Duration) string {
	all := ratios(of, by)
	if len(all) == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f to %.2f", slices.Min(all), slices.Max(all))
}

func seconds(d time.Duration) string {
	if d < 10*time.Second {
		return fmt.Sprintf("%.3f s", d.Seconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}

func preciseMilliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond))
}

func megabytes(bytes int64) string { return fmt.Sprintf("%.1f MB", float64(bytes)/1e6) }
