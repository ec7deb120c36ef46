// Package harddb makes SQLite files that are hard to copy exactly: from a seed, each with a random choice of
// everything that SQLite can store and a copy tends to get wrong. Some hold something that a Durable Object
// has no place for, and say for which reason it has to be refused.
package harddb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"

	_ "modernc.org/sqlite" // the driver

	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
)

// Database says what is in a generated file.
type Database struct {
	// Features name what was chosen, in the order in which it was made.
	Features []string
	// Refusal is the reason for which the file has to be refused; "" when a Durable Object can hold it
	// exactly.
	Refusal sqlitefile.Reason
	// Virtual names the virtual tables. Their shadow tables may be laid out otherwise after a copy.
	Virtual []string
}

func (d Database) String() string {
	text := strings.Join(d.Features, ", ")
	if d.Refusal != "" {
		text += ": to be refused for " + string(d.Refusal)
	}
	return text
}

// feature is one kind of difficulty. It may be made several times in one file.
type feature struct {
	name string
	make func(*builder)
}

// refusal is a feature that a Durable Object cannot hold.
type refusal struct {
	feature
	reason   sqlitefile.Reason
	encoding string // that it needs; "" for any
}

const (
	// chosenOf is how many features one file has at most: with all of them, one would hide what another does.
	chosenOf = 9
	// refusedOneIn is how many files there are for each that has to be refused.
	refusedOneIn = 4
)

// Build writes the database of a seed to path, which must not exist. The same seed gives the same logical
// content.
func Build(ctx context.Context, path string, seed uint64) (Database, error) {
	random := rand.New(rand.NewPCG(seed, 0x68617264))
	chosen := choose(random, features, 2+random.IntN(chosenOf-1))
	var refused *refusal
	if random.IntN(refusedOneIn) == 0 {
		refused = &refusals[random.IntN(len(refusals))]
	}
	return build(ctx, path, random, chosen, refused)
}

// BuildOne is Build with a single feature, chosen by its name.
func BuildOne(ctx context.Context, path string, seed uint64, name string) (Database, error) {
	random := rand.New(rand.NewPCG(seed, 0x68617264))
	for i := range features {
		if features[i].name == name {
			return build(ctx, path, random, features[i:i+1], nil)
		}
	}
	for i := range refusals {
		if refusals[i].name == name {
			return build(ctx, path, random, nil, &refusals[i])
		}
	}
	return Database{}, fmt.Errorf("build a hard database: no feature is named %q", name)
}

// Names lists the features and the refusals.
func Names() []string {
	var names []string
	for _, f := range features {
		names = append(names, f.name)
	}
	for _, r := range refusals {
		names = append(names, r.name)
	}
	return names
}

// choose keeps the order of the list: ALTER TABLE refuses to work beside a broken view.
func choose(random *rand.Rand, from []feature, n int) []feature {
	indexes := random.Perm(len(from))[:min(n, len(from))]
	slices.Sort(indexes)
	var chosen []feature
	for _, i := range indexes {
		chosen = append(chosen, from[i])
	}
	return chosen
}

func build(
	ctx context.Context,
	path string,
	random *rand.Rand,
	chosen []feature,
	refused *refusal,
) (Database, error) {
	if _, err := os.Stat(path); err == nil {
		return Database{}, fmt.Errorf("build a hard database: %s exists", path)
	}
	b := &builder{ctx: ctx, random: random, path: path, used: map[string]bool{}}
	if refused != nil {
		b.made.Refusal, b.encoding = refused.reason, refused.encoding
		chosen = append(chosen, refused.feature)
	}
	err := b.run(chosen)
	if err == nil {
		err = b.patchFile()
	}
	if err != nil {
		return Database{}, fmt.Errorf("build a hard database (%s): %w", b.made, err)
	}
	return b.made, nil
}

// builder makes one file. The first error stays, and nothing is done after it.
type builder struct {
	ctx    context.Context
	path   string
	random *rand.Rand
	conn   *sql.Conn
	made   Database
	used   map[string]bool // names, in lower case

	encoding string
	wal      bool                  // the header says write-ahead log
	last     []func()              // what has to come after all features
	patches  []func([]byte) []byte // of the finished file's bytes
	err      error
}

func (b *builder) run(chosen []feature) (err error) {
	db, err := sql.Open("sqlite", "file:"+b.path+"?_pragma=journal_mode(off)&_pragma=synchronous(off)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	if b.conn, err = db.Conn(b.ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.conn.Close()) }()
	b.header()
	b.exec("BEGIN")
	for _, f := range chosen {
		b.made.Features = append(b.made.Features, f.name)
		f.make(b)
	}
	b.exec("COMMIT")
	for _, late := range b.last {
		late()
	}
	return b.err
}

// exec runs one statement or several.
func (b *builder) exec(statement string, args ...any) {
	if b.err != nil {
		return
	}
	if _, err := b.conn.ExecContext(b.ctx, statement, args...); err != nil {
		b.err = fmt.Errorf("%.300s: %w", statement, err)
	}
}

func (b *builder) execf(format string, args ...any) { b.exec(fmt.Sprintf(format, args...)) }

// number reads one number.
func (b *builder) number(query string) (n int) {
	if b.err == nil {
		b.err = b.conn.QueryRowContext(b.ctx, query).Scan(&n)
	}
	return n
}

// insert adds a row.
func (b *builder) insert(table string, cells ...cell) {
	marks, args := make([]string, len(cells)), []any(nil)
	for i, c := range cells {
		marks[i] = c.sql
		if c.sql == "?" {
			args = append(args, c.arg)
		}
	}
	b.exec("INSERT INTO "+table+" VALUES("+strings.Join(marks, ", ")+")", args...)
}

func (b *builder) chance(oneIn int) bool { return b.random.IntN(oneIn) == 0 }

func pick[T any](b *builder, from []T) T { return from[b.random.IntN(len(from))] }
