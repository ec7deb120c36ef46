package precheck

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// FixVersions ends a gradual deployment.
const FixVersions = "deploy this version to 100 %, or wait until the gradual deployment is over"

// Greeter says which version it is.
type Greeter interface {
	Hello(ctx context.Context) (wire.Hello, error)
}

// Versions asks so often, and counts what answers: in a gradual deployment old code answers some requests.
func Versions(ctx context.Context, g Greeter, times int) (map[string]int, error) {
	found := map[string]int{}
	for range times {
		hello, err := g.Hello(ctx)
		if err != nil {
			return found, err
		}
		found[hello.Worker]++
	}
	return found, nil
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

// SameVersion refuses to go on where another version answers than the one that was greeted first.
func SameVersion(ctx context.Context, g Greeter, first string, times int) error {
	found, err := Versions(ctx, g, times)
	if err != nil {
		return err
	}
	if found[first] == times {
		return nil
	}
	return userdb.UsageError(
		"ask the Worker for its version again",
		"",
		fmt.Sprintf("this run began with version %s, and now answer: %s; nobody else was begun", first, VersionsText(found)),
		FixVersions+"; then run the command again",
	)
}
