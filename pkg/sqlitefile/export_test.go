package sqlitefile

import (
	"testing"

	"github.com/dbmigrate/dbmigrate/internal/testkit/effort"
)

// MakeHardDatabases makes a database of each shape that is hard to move. The tests of pkg/preflight cannot
// see them, and this package's own cannot see preflight.
func MakeHardDatabases(t *testing.T) map[string]string {
	paths := map[string]string{}
	for _, shape := range effort.Some(t, "shapes", hardShapes, 1) {
		paths[shape.String()] = makeHard(t, shape)
	}
	paths["fenced"] = makeHard(t, hardShapes[1])
	fence(t, paths["fenced"])
	return paths
}
