// Package appdb builds databases like those of an application that cuts sports videos (games, clips,
// projects, exports), of any size and always the same for the same seed: fleets for tests, the demo and
// benchmarks.
package appdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"

	_ "modernc.org/sqlite" // the driver
)

// The sizes that benchmarks use, in bytes; about 5,600, 56,000 and 560,000 rows.
const (
	S int64 = 1_200_000
	M int64 = 11_700_000
	L int64 = 118_000_000
)

// Stats describe a built file.
type Stats struct {
	Bytes int64
	Rows  int64
}

const schema = `
CREATE TABLE games (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  title TEXT NOT NULL,
  opponent TEXT,
  played_at INTEGER NOT NULL,
  duration REAL NOT NULL,
  video_key TEXT NOT NULL,
  home_score INTEGER,
  away_score INTEGER
);
CREATE TABLE clips (
  id INTEGER PRIMARY KEY,
  game_id INTEGER NOT NULL REFERENCES games(id) ON DELETE CASCADE,
  start_s REAL NOT NULL,
  end_s REAL NOT NULL,
  label TEXT NOT NULL,
  tags TEXT NOT NULL DEFAULT '[]',
  rating INTEGER
);
CREATE TABLE projects (
  id TEXT PRIMARY KEY NOT NULL,
  name TEXT NOT NULL,
  settings TEXT NOT NULL,
  thumbnail BLOB,
  created_at INTEGER NOT NULL
);
CREATE TABLE exports (
  id INTEGER PRIMARY KEY,
  project_id TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('queued', 'running', 'done', 'failed')),
  bytes INTEGER,
  checksum BLOB,
  finished_at INTEGER
);
CREATE INDEX games_by_date ON games(played_at);
CREATE INDEX clips_by_game ON clips(game_id, start_s);
CREATE INDEX exports_by_project ON exports(project_id);
PRAGMA user_version = 12;
`

// smallPages is the size under which a file gets pages of 1,024 bytes: with 4,096 the empty schema fills 40
// KB.
const smallPages = 64_000

// Build writes a new database of about the given size (within a page or two of games, above the size of the
// empty schema: 11 KB) to path. The same seed and size give the same bytes.
func Build(ctx context.Context, path string, seed uint64, bytes int64) (stats Stats, err error) {
	if _, err := os.Stat(path); err == nil {
		return Stats{}, fmt.Errorf("build database %s: it exists", path)
	}
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=journal_mode(off)&_pragma=synchronous(off)")
	if err != nil {
		return Stats{}, fmt.Errorf("build database %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1) // PRAGMA page_size belongs to the connection that then creates the file
	f := &filler{db: db, random: newRandom(seed), target: bytes}
	if stats, err = f.fill(ctx); err != nil {
		return Stats{}, fmt.Errorf("build database %s: %w", path, err)
	}
	return stats, nil
}
