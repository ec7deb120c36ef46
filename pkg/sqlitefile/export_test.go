package sqlitefile

import "testing"

// MakeHardDatabases makes a database of each shape that is hard to move. The tests of pkg/preflight cannot
// see them, and this package's own cannot see preflight.
func MakeHardDatabases(t *testing.T) map[string]string {
	paths := map[string]string{}
	for _, shape := range hardShapes {
		paths[shape.String()] = makeHard(t, shape)
	}
	return paths
}
