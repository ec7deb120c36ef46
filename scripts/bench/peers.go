package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/internal/testkit/stack"
	"github.com/dbmigrate/dbmigrate/pkg/result"
)

const peerConfig = "scripts/bench/peer/wrangler.jsonc"

// peers compares the import with other ways into Cloudflare's SQLite. They are unverified, so beside the
// whole of dbmigrate stands its import alone, too.
func peers(ctx context.Context, w *world) (text string, err error) {
	naive, err := stack.Start(ctx, stack.Options{ConfigPath: peerConfig})
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, naive.Stop()) }()
	var out strings.Builder
	fmt.Fprintln(
		&out,
		"| database | other way | it takes | dbmigrate's import alone | times faster | the whole of dbmigrate | times faster |",
	)
	fmt.Fprintln(&out, "|---|---|---|---|---|---|---|")
	for _, size := range []string{"S", "M"} {
		db, err := w.database(ctx, size)
		if err != nil {
			return "", err
		}
		m, err := w.besideRowByRow(ctx, naive.URL, db)
		if err != nil {
			return "", err
		}
		m.print(&out, size, "one JSON body, row by row, into a Durable Object")
		if size != "S" {
			continue
		}
		d1, err := w.d1Execute(ctx, db)
		if err != nil {
			return "", err
		}
		m.other = repeat(d1, len(m.whole))
		m.print(&out, size, "`wrangler d1 execute --local --file` of the dump (once)")
	}
	return out.String(), nil
}

// comparison is measured in rounds: one of ours, one of theirs.
type comparison struct{ other, imported, whole []time.Duration }

func (c comparison) print(out *strings.Builder, size, way string) {
	fmt.Fprintf(
		out,
		"| %s | %s | %s | %s | **%.1f** | %s | **%.1f** |\n",
		size,
		way,
		seconds(median(c.other)),
		seconds(median(c.imported)),
		medianRatio(c.other, c.imported),
		seconds(median(c.whole)),
		medianRatio(c.other, c.whole),
	)
}

func repeat(d time.Duration, n int) []time.Duration {
	all := make([]time.Duration, n)
	for i := range all {
		all[i] = d
	}
	return all
}

func (w *world) besideRowByRow(ctx context.Context, url string, db database) (comparison, error) {
	var c comparison
	for round := range w.rounds {
		u, err := w.upload(ctx, db)
		if err != nil {
			return c, err
		}
		whole, stages, err := w.migrate(ctx, u, nil)
		if err != nil {
			return c, err
		}
		other, err := rowByRow(ctx, fmt.Sprintf("%s/%s-%d", url, db.name, round), db)
		if err != nil {
			return c, err
		}
		c.whole, c.other = append(c.whole, whole), append(c.other, other)
		c.imported = append(c.imported, stages[result.StageCopy].took+stages[result.StageFinish].took)
	}
	return c, nil
}

// d1Execute loads a dump into D1's local database, as Cloudflare's documentation tells. The dump itself is
// not timed.
func (w *world) d1Execute(ctx context.Context, db database) (time.Duration, error) {
	dump := filepath.Join(w.dir, "dump.sql")
	// D1 wants no transaction, and makes sqlite_sequence itself.
	script := `sqlite3 "$1" .dump | grep -v -e '^BEGIN TRANSACTION' -e '^COMMIT' -e sqlite_sequence -e '^PRAGMA' > "$2"`
	if out, err := exec.CommandContext(ctx, "/bin/sh", "-c", script, "sh", db.path, dump).CombinedOutput(); err != nil {
		return 0, fmt.Errorf("dump %s: %w\n%s", db.name, err, out)
	}
	config, err := filepath.Abs(peerConfig)
	if err != nil {
		return 0, err
	}
	node, err := filepath.Abs("worker/node_modules/node/bin/node")
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(
		ctx,
		node,
		"node_modules/wrangler/bin/wrangler.js",
		"d1",
		"execute",
		"peer",
		"--local",
		"--yes",
		"--file",
		dump,
		"--config",
		config,
		"--persist-to",
		filepath.Join(w.dir, "d1"),
	)
	cmd.Dir = "worker"
	cmd.Env = append(os.Environ(), "WRANGLER_SEND_METRICS=false", "CI=true", "HOME="+w.dir)
	begun := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		return 0, fmt.Errorf("wrangler d1 execute: %w\n%.2000s", err, out)
	}
	return time.Since(begun), nil
}
