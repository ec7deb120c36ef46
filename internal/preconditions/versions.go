package preconditions

import (
	"cmp"
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

// WorkerVersion is what one answer of a Worker says of its code. The package's version alone does not tell
// two deploys of an application with the same package from each other.
type WorkerVersion struct {
	Package string
	ID      string // Cloudflare's, "" where the Worker does not know it
}

// VersionOf is what a hello says.
func VersionOf(hello wire.Hello) WorkerVersion {
	return WorkerVersion{Package: hello.Worker, ID: hello.VersionID}
}

// shownID is as much of an id as Cloudflare's dashboard shows.
const shownID = 8

func (v WorkerVersion) String() string {
	if v.ID == "" {
		return v.Package
	}
	return v.Package + " " + v.ID[:min(len(v.ID), shownID)]
}

func compareVersions(a, b WorkerVersion) int {
	return cmp.Or(cmp.Compare(a.Package, b.Package), cmp.Compare(a.ID, b.ID))
}

// Versions asks so often, atOnce at a time, and counts what answers: in a gradual deployment old code answers
// some requests.
func Versions(ctx context.Context, greet Greet, times, atOnce int) (map[WorkerVersion]int, error) {
	var mu sync.Mutex
	found := map[WorkerVersion]int{}
	err := parallel.Each(ctx, times, atOnce, func(ctx context.Context, _ int) error {
		hello, err := greet(ctx)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		found[VersionOf(hello)]++
		return nil
	})
	return found, err
}

// VersionsText names the versions, and how often each answered.
func VersionsText(found map[WorkerVersion]int) string {
	var parts []string
	all := 0
	for _, n := range found {
		all += n
	}
	for _, version := range slices.SortedFunc(maps.Keys(found), compareVersions) {
		parts = append(parts, fmt.Sprintf("%s (%d of %d)", version, found[version], all))
	}
	return strings.Join(parts, ", ")
}

// Unseen says what the asking does not show where a Worker does not know its id; "" where it does.
func Unseen(found map[WorkerVersion]int) string {
	for version := range found {
		if version.ID == "" {
			return "without version_metadata a deploy of other code with this package is not seen"
		}
	}
	return ""
}

// SameVersion refuses to go on where another version answered than the one that was greeted first.
func SameVersion(found map[WorkerVersion]int, first WorkerVersion) error {
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
