package appdb

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
)

// The mix, so that S, M and L have the row counts that they promise.
const (
	gamesPerProject = 3
	gamesPerPoster  = 25 // one project in about eight has a thumbnail
	posterBytes     = 20_000
	averageGame     = 2_000 // bytes in the file, posters included
)

// filler adds games, each with its clips and now and then a project, until the file has its size.
type filler struct {
	db       *sql.DB
	tx       *sql.Tx
	random   *rand.Rand
	target   int64
	games    int64
	rows     int64
	inserted map[string]*sql.Stmt
}

func newRandom(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x64626d6967726174)) }

func (f *filler) fill(ctx context.Context) (Stats, error) {
	if f.target < smallPages {
		if _, err := f.db.ExecContext(ctx, "PRAGMA page_size = 1024"); err != nil {
			return Stats{}, err
		}
	}
	if _, err := f.db.ExecContext(ctx, schema); err != nil {
		return Stats{}, err
	}
	tx, err := f.db.BeginTx(ctx, nil)
	if err != nil {
		return Stats{}, err
	}
	defer tx.Rollback() // after Commit it does nothing
	f.tx, f.inserted = tx, make(map[string]*sql.Stmt)
	for {
		size, err := f.size(ctx)
		if err != nil {
			return Stats{}, err
		}
		if size >= f.target {
			return Stats{Bytes: size, Rows: f.rows}, tx.Commit()
		}
		for range 1 + (f.target-size)/(2*averageGame) {
			if err := f.game(ctx); err != nil {
				return Stats{}, err
			}
		}
	}
}

func (f *filler) size(ctx context.Context) (int64, error) {
	var pages, pageSize int64
	if err := f.tx.QueryRowContext(ctx, "PRAGMA page_count").Scan(&pages); err != nil {
		return 0, err
	}
	err := f.tx.QueryRowContext(ctx, "PRAGMA page_size").Scan(&pageSize)
	return pages * pageSize, err
}

func (f *filler) game(ctx context.Context) error {
	f.games++
	opponent := f.pick(teams)
	played := f.instant()
	duration := 5400 + f.random.Float64()*1800
	err := f.insert(
		ctx,
		"INSERT INTO games(title, opponent, played_at, duration, video_key, home_score, away_score) VALUES (?,?,?,?,?,?,?)",
		fmt.Sprintf("%s %d vs. %s", f.pick(teams), f.games, opponent),
		opponent,
		played,
		duration,
		fmt.Sprintf("games/%d.mp4", f.games),
		f.random.IntN(9),
		f.optional(f.random.IntN(9)),
	)
	if err != nil {
		return err
	}
	for range 4 + f.random.IntN(10) {
		if err := f.clip(ctx, duration); err != nil {
			return err
		}
	}
	if f.games%gamesPerProject == 0 {
		return f.project(ctx, played)
	}
	return nil
}

func (f *filler) clip(ctx context.Context, duration float64) error {
	start := f.random.Float64() * duration
	return f.insert(
		ctx,
		"INSERT INTO clips(game_id, start_s, end_s, label, tags, rating) VALUES (?,?,?,?,?,?)",
		f.games,
		start,
		start+f.random.ExpFloat64()*12,
		f.pick(labels)+", "+f.pick(labels),
		f.tags(),
		f.optional(1+f.random.IntN(5)),
	)
}

func (f *filler) project(ctx context.Context, created int64) error {
	id := fmt.Sprintf("%016x%016x", f.random.Uint64(), f.random.Uint64())
	var thumbnail []byte
	if f.random.IntN(gamesPerPoster/gamesPerProject) == 0 {
		thumbnail = f.bytes(posterBytes)
	}
	settings := fmt.Sprintf(
		`{"fps":%d,"crop":[%g,%g],"captions":%t}`,
		25+5*f.random.IntN(8),
		f.random.Float64(),
		f.random.Float64(),
		f.random.IntN(2) == 0,
	)
	err := f.insert(ctx, "INSERT INTO projects(id, name, settings, thumbnail, created_at) VALUES (?,?,?,?,?)",
		id, "Best of "+f.pick(teams), settings, thumbnail, created)
	if err != nil {
		return err
	}
	return f.insert(
		ctx,
		"INSERT INTO exports(project_id, status, bytes, checksum, finished_at) VALUES (?,?,?,?,?)",
		id,
		f.pick(states),
		f.random.Int64N(1<<40),
		f.bytes(16),
		f.optional(int(created/1000)),
	)
}

func (f *filler) insert(ctx context.Context, statement string, values ...any) error {
	prepared := f.inserted[statement]
	if prepared == nil {
		var err error
		if prepared, err = f.tx.PrepareContext(ctx, statement); err != nil {
			return err
		}
		f.inserted[statement] = prepared
	}
	f.rows++
	_, err := prepared.ExecContext(ctx, values...)
	return err
}

var (
	teams = []string{
		"SV Grün-Weiß",
		"FC Nord",
		"Ålesund",
		"Tigers",
		"東京ライオンズ",
		"Rovers",
		"Olimpia",
		"Reál 🦁",
	}
	labels = []string{
		"goal",
		"free kick",
		"save",
		"pressing",
		"counter-attack",
		"corner",
		"foul",
		"build-up on the left",
		"Abseits?",
		"wide angle",
	}
	states = []string{"queued", "running", "done", "failed"}
)

func (f *filler) pick(words []string) string { return words[f.random.IntN(len(words))] }

func (f *filler) tags() string {
	var tags []string
	for range f.random.IntN(4) {
		tags = append(tags, `"`+f.pick(labels)+`"`)
	}
	return "[" + strings.Join(tags, ",") + "]"
}

// instant is a time in milliseconds in the years 2019 to 2026.
func (f *filler) instant() int64 { return 1_546_300_800_000 + f.random.Int64N(250_000_000_000) }

// optional is NULL one time in five.
func (f *filler) optional(value int) any {
	if f.random.IntN(5) == 0 {
		return nil
	}
	return value
}

func (f *filler) bytes(n int) []byte {
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(f.random.Uint32())
	}
	return data
}
