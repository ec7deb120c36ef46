//go:build !linux && !darwin

package migrate

import "math"

// freeOn does not know: a full disk is found when it is written to.
func freeOn(string) (int64, error) { return math.MaxInt64, nil }
