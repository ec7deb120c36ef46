package inspect

import (
	"context"
	"fmt"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/verify"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// Comparison is one of a file (left) with a Durable Object (right) that found differences.
type Comparison struct {
	Op            string
	What, Against string // the two sides
	Path          string // of the left side; "" where it is gone
	Store         wire.DatabaseDigest
	Found         []verify.Difference
	Lines         []string // what is known besides
	// Importing says that the Durable Object shows no schema yet.
	Importing bool
	Probably  string // what happened
	Hint      string
}

// TheObject is what the right side mostly is.
const TheObject = "the Durable Object"

// namingTime bounds the search for rows: the writes of a user who is rolled back wait meanwhile.
const namingTime = 30 * time.Second

// Err is the error of every command with such a comparison. It names tables, rows by their keys, cells by
// their columns, with the values of both sides, and says what probably happened.
func (c Comparison) Err(ctx context.Context, stores Stores, u userdb.UserID) error {
	lines := append(c.nameRows(ctx, stores, u), append(c.Lines, digestLines(c.Found)...)...)
	probably := c.Probably
	if onlyCensuses(c.Found) && len(c.Lines) == 0 {
		probably = "dbmigrate or SQLite read a table wrongly: two scans of it do not agree"
	}
	return &result.Mismatch{
		Lines: lines,
		Err: &userdb.Error{Op: c.Op, Thing: string(u), Kind: userdb.Mismatch,
			Err: fmt.Errorf(
				"%s and %s differ (left against right): %s",
				c.What,
				c.Against,
				verify.SummaryOf(lines),
			),
			Hint: fmt.Sprintf("probably %s; %s", probably, c.Hint)},
	}
}

func onlyCensuses(found []verify.Difference) bool {
	for _, d := range found {
		if d.Kind != verify.Census {
			return false
		}
	}
	return true
}

// nameRows returns what it found before an error, too. The lines say so where not everything could be named.
func (c Comparison) nameRows(ctx context.Context, stores Stores, u userdb.UserID) []string {
	if c.Path == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, namingTime)
	defer cancel()
	lines, err := c.compareRows(ctx, stores, u)
	if len(lines) > namedDifferences {
		lines = append(
			lines[:namedDifferences],
			fmt.Sprintf("and more: only the first %d are named", namedDifferences),
		)
	}
	if err != nil {
		lines = append(lines, fmt.Sprintf("not everything could be named: %v", err))
	}
	return lines
}

func (c Comparison) compareRows(ctx context.Context, stores Stores, u userdb.UserID) ([]string, error) {
	file, err := sqlitefile.Open(ctx, c.Path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	n := &namer{file: file, store: c.Store}
	// Rows as digests read them: an export that is wrong cannot name what is wrong with it.
	n.side = func(t *sqlitefile.Table) verify.Side { return verify.ImportingSide(stores, u, len(t.Cells)) }
	if c.Importing {
		err = n.tables(ctx, nil, c.Found)
		return n.lines, err
	}
	exported, err := stores.ExportSchema(ctx, u)
	if err == nil {
		err = n.run(ctx, exported.Schema, c.Found)
	}
	return n.lines, err
}
