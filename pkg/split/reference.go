package split

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dbmigrate/dbmigrate/internal/sqltext"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// addReferences marks the reference tables.
func (s *shape) addReferences(names []string) error {
	for _, name := range names {
		t := s.table(name)
		if t == nil {
			return blocked(
				name,
				hintPolicy,
				"the policy names it as a reference table, and this database has no ordinary table of that name",
			)
		}
		t.copied = true
	}
	return nil
}

// copied names the reference tables as the schema does.
func (s *shape) copied() (names []string) {
	for _, t := range s.tables {
		if t.copied {
			names = append(names, t.Name)
		}
	}
	return names
}

// withoutReferences leaves out the relations of reference tables: their rows are on both sides. A copy must
// not refer to a row that the cold part lacks.
func (d *decision) withoutReferences(relations []*relation) ([]*relation, error) {
	for _, r := range relations {
		if !r.child.copied || r.parent.copied {
			continue
		}
		rows, err := show(
			d.conn,
			"SELECT "+r.child.quotedKey("c")+" || ' to ' || "+r.parent.quotedKey("p"),
			" FROM "+r.child.main()+" AS c CROSS JOIN "+r.parent.main()+" AS p WHERE "+r.on(),
		)
		if err != nil {
			return nil, err
		}
		if rows != "" {
			return nil, blocked(
				r.child.Name,
				fmt.Sprintf("name %s in reference, too, or take %s out of it", r.parent.Name, r.child.Name),
				"it is a reference table, and its rows refer to rows of %s (%s), which is none: %s",
				r.parent.Name,
				strings.Join(r.childColumns, ", "),
				rows,
			)
		}
	}
	return slices.DeleteFunc(relations, func(r *relation) bool { return r.child.copied || r.parent.copied }), nil
}

// firstToWrite finds the first trigger that writes to one of the tables, and that table; nil for none.
func (s *shape) firstToWrite(triggers []wire.Object, wanted func(*table) bool) (string, *table) {
	for _, trigger := range triggers {
		tokens := sqltext.All(trigger.SQL)
		for i := range tokens {
			if target := s.table(writtenAt(tokens[i:])); target != nil && wanted(target) {
				return trigger.Name, target
			}
		}
	}
	return "", nil
}

// writtenAt is the table that a statement writes where these tokens name it, "" for none.
func writtenAt(tokens []sqltext.Token) string {
	word := func(i int, text string) bool { return i < len(tokens) && tokens[i].IsWord(text) }
	at := 0
	switch {
	case word(0, "into"):
		at = 1
	case word(0, "delete") && word(1, "from"):
		at = 2
	case word(0, "update") && word(1, "or"):
		at = 3
	case word(0, "update"):
		at = 1
	}
	if at > 0 && at+2 < len(tokens) && tokens[at+1] == "." {
		at += 2
	}
	if at == 0 || at >= len(tokens) {
		return ""
	}
	return tokens[at].Unquote()
}

// proveCopies compares the cold part's copies of reference tables with the source.
func proveCopies(ctx context.Context, f parts, source wire.DatabaseDigest, reference []string) error {
	if len(reference) == 0 {
		return nil
	}
	cold, err := digestOf(ctx, f.cold)
	if err != nil {
		return err
	}
	changed := ChangedCopies(source, cold, reference)
	if len(changed) == 0 {
		return nil
	}
	return &userdb.Error{
		Op:    "prove the split of",
		Thing: f.source,
		Kind:  userdb.Mismatch,
		Hint:  hintFaulty,
		Err:   fmt.Errorf("the copies of reference tables are not the tables: %s", strings.Join(changed, ", ")),
	}
}

// ChangedCopies names the reference tables that have another content in one database than in the other.
func ChangedCopies(one, other wire.DatabaseDigest, reference []string) (changed []string) {
	find := func(d wire.DatabaseDigest, name string) wire.TableDigest {
		for _, t := range d.Tables {
			if sqltext.Fold(t.Name) == sqltext.Fold(name) {
				return t
			}
		}
		return wire.TableDigest{}
	}
	for _, name := range reference {
		if !find(one, name).Same(find(other, name)) {
			changed = append(changed, name)
		}
	}
	return changed
}
