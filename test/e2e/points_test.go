package e2e

import (
	"slices"
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
)

// point is one request of one command, and the ways in which it is disturbed: indexes of ways.
type point struct {
	walk walk
	n    int
	name string
	nth  int // of the requests with this name, from 1
	ways []int
}

// allPoints are the requests of the undisturbed commands, first all first ones, so that any few that follow
// each other are of all commands.
func allPoints(t *testing.T, image []byte, walks []walk) []point {
	t.Helper()
	var all []point
	for _, w := range walks {
		names := undisturbed(t, newPatient(t, image, w.prepare), w)
		for n, name := range names {
			all = append(all, point{walk: w, n: n, name: name, nth: nthOf(names, n)})
		}
	}
	slices.SortStableFunc(all, func(a, b point) int { return a.n - b.n })
	return all
}

// nthOf says which of the requests with its name the request n is, from 1. The requests of a start-up are
// under way side by side, so their places vary.
func nthOf(names []string, n int) (nth int) {
	for _, name := range names[:n+1] {
		if name == names[n] {
			nth++
		}
	}
	return nth
}

// chosenPoints are all points in all ways, or a few: then no point comes twice before every point came once,
// and each time in the next way.
func chosenPoints(t *testing.T, all []point, little int) []point {
	t.Helper()
	if effort.Whole(t) {
		for i := range all {
			for way := range ways {
				all[i].ways = append(all[i].ways, way)
			}
		}
		return all
	}
	return effort.Some(t, "disturbances of requests", oneWayEach(all), little)
}

// oneWayEach is every point in every way: round after round of all points.
func oneWayEach(all []point) []point {
	var rounds []point
	for round := range ways {
		for i, p := range all {
			p.ways = []int{(i + round) % len(ways)}
			rounds = append(rounds, p)
		}
	}
	return rounds
}

// TestEveryPointIsWalkedInEveryWay: what a run leaves out, another one does.
func TestEveryPointIsWalkedInEveryWay(t *testing.T) {
	const points = 21
	met := map[[2]int]bool{}
	all := make([]point, points)
	for i := range all {
		all[i].n = i
	}
	for _, p := range oneWayEach(all) {
		met[[2]int{p.n, p.ways[0]}] = true
	}
	if len(met) != points*len(ways) {
		t.Errorf("%d of %d pairs", len(met), points*len(ways))
	}
}
