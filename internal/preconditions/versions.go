package preconditions

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/dbmigrate/dbmigrate/internal/parallel"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// FixVersions ends a gradual deployment.
const FixVersions = "deploy this version to 100 %, or wait until the gradual deployment is over"

// Greet asks a Worker which version it is.
type Greet func(context.Context) (wire.Hello, error)

// Versions asks so often, atOnce at a time, and counts what answers: in a gradual deployment old code answers
// some requests.
func Versions(ctx context.Context, greet Greet, times, atOnce int) (map[string]int, error) {
	var mu sync.Mutex
	found := map[string]int{}
	err := parallel.Each(ctx, times, atOnce, func(ctx context.Context, _ int) error {
		hello, err := greet(ctx)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		found[hello.Worker]++
		return nil
	})
	return found, err
}

// VersionsText names the versions, and how often each answered.
func VersionsText(found map[string]int) string {
	var parts []string
	all := 0
	for _, n := range found {
		all += n
	}
	for _, version := range slices.Sorted(maps.Keys(found)) {
		parts = append(parts, fmt.Sprintf("%s (%d of %d)", version, found[version], all))
	}
	return strings.Join(parts, ", ")
}

// SameVersion refuses to go on where another version answered than the one that was greeted first.
func SameVersion(found map[string]int, first string) error {
	if len(found) == 0 || len(found) == 1 && found[first] > 0 {
		return nil
	}
	return userdb.UsageError(
		"ask the Worker for its version again",
		"",
		fmt.Sprintf("version %s answered first, and then: %s; no more users were begun", first, VersionsText(found)),
		FixVersions+"; then run the command again",
	)
}
