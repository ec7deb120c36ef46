package sqlitefile

import (
	"context"

	"github.com/dbmigrate/dbmigrate/internal/capi"
)

// Entries counts what a Durable Object writes when it receives a database, and bills: each row, and each
// entry of each index.
type Entries struct {
	Rows  int64 `json:"rows"`
	Index int64 `json:"index"` // of indexes, those that UNIQUE and PRIMARY KEY make included
	// AtLeast says that there are virtual tables, which may write more often than the number of entries that
	// they end up with.
	AtLeast bool `json:"atLeast,omitempty"`
}

// Total is rows and index entries together.
func (e Entries) Total() int64 { return e.Rows + e.Index }

// CountEntries counts the entries of every b-tree of the file, as its pages say (sqlite.org/dbstat.html):
// nothing of the schema is run, so an index that needs an unknown collation or function counts, too. It reads
// the whole file once.
func (f *File) CountEntries(ctx context.Context) (Entries, error) {
	defer f.conn.Watch(ctx)()
	keyed, counted := f.keyed(), Entries{AtLeast: len(f.virtual) > 0}
	err := f.conn.Query(
		"SELECT name, pagetype, sum(ncell) FROM temp.dbstat WHERE name <> 'sqlite_schema' GROUP BY 1, 2",
		nil,
		func(s *capi.Stmt) error {
			name, leaf, cells := s.Text(0), s.Text(1) == "leaf", s.Int(2)
			switch kind := keyed[name]; {
			case kind == "index":
				counted.Index += cells
			case leaf || kind == "table":
				counted.Rows += cells
			}
			return nil
		},
	)
	if err != nil {
		return Entries{}, fail("count the entries of", f.path, err)
	}
	return counted, nil
}

// keyed names the b-trees with entries on interior pages, too: those of indexes and of WITHOUT ROWID tables.
// The others hold only keys to find the way (sqlite.org/fileformat2.html, section 1.6).
func (f *File) keyed() map[string]string {
	kinds := map[string]string{}
	for i := range f.objects {
		switch o := &f.objects[i]; {
		case o.Type == "index":
			kinds[o.Name] = "index"
		case o.Type == "table" && o.info.withoutRowid:
			kinds[o.Name] = "table"
		}
	}
	return kinds
}
