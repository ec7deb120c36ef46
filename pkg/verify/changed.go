package verify

import "github.com/dbmigrate/dbmigrate/pkg/wire"

// ChangedTable is a table that has another digest than before. Before is the zero one of a new table, and Now
// that of a dropped one.
type ChangedTable struct {
	Name        string
	Before, Now wire.TableDigest
}

// Dropped says whether the table is gone. One without rows is still there, and has a digest.
func (c ChangedTable) Dropped() bool { return c.Now.Name == "" }

// ChangedTables lists the tables that no longer have the digest from before: changed and new ones in the
// order of now, then those that were dropped.
func ChangedTables(before, now wire.DatabaseDigest) []ChangedTable {
	was := map[string]wire.TableDigest{}
	for _, t := range before.Tables {
		was[t.Name] = t
	}
	var out []ChangedTable
	for _, t := range now.Tables {
		if !was[t.Name].Same(t) {
			out = append(out, ChangedTable{Name: t.Name, Before: was[t.Name], Now: t})
		}
		delete(was, t.Name)
	}
	for _, t := range before.Tables { // in their order, which a map does not keep
		if _, dropped := was[t.Name]; dropped {
			out = append(out, ChangedTable{Name: t.Name, Before: t})
		}
	}
	return out
}
