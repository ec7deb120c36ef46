package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// appRequest is what an application asks of a game, through the router.
type appRequest struct{ name, mode, sql string }

var appRequests = []appRequest{
	{
		"read: the clips of a game",
		"read",
		"SELECT id, start_s, end_s, label FROM clips WHERE game_id = ? ORDER BY start_s",
	},
	{"write: a game's score", "write", "UPDATE games SET home_score = home_score + 1 WHERE id = ?"},
}

// latency measures requests where R2 and the Durable Objects are no further away than a function call: on one
// machine.
func latency(ctx context.Context, w *world) (string, error) { return w.latencies(ctx, 0, 0) }

// simulatedLatency repeats that with a network that is simulated.
func simulatedLatency(ctx context.Context, w *world) (string, error) {
	table, err := w.latencies(ctx, w.r2Delay, w.storeDelay)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(
		"Simulated: each call of the R2 binding takes %s longer, each call of a Durable Object %s. Both are assumptions (`-r2-delay`, `-store-delay`), not measurements.\n\n%s",
		w.r2Delay,
		w.storeDelay,
		table,
	), nil
}

// latencies asks the same of a user with a file in R2 and of one who moved, in turn. It asks through
// wrangler's proxy as a client does, then inside the Worker.
func (w *world) latencies(ctx context.Context, r2Delay, storeDelay time.Duration) (text string, err error) {
	bench, err := w.withBenchWorker(ctx, r2Delay, storeDelay)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, bench.cloud.Stop()) }()
	var out strings.Builder
	fmt.Fprintf(
		&out,
		"Proxy: %d requests each, fewer where they take long, each from the client through wrangler's proxy to the Worker and back. "+
			"Inside: the time per request in a block of them that the Worker sends itself, one after the other, without the proxy; the median of %d blocks of about %s ms each%s.\n\n",
		w.requests,
		w.rounds,
		inMilliseconds(blockTime),
		load(),
	)
	fmt.Fprintln(
		&out,
		"| database | request | proxy: R2 path, median | p99 | DO path, median | p99 | ratio of the medians | inside: R2 path | DO path | ratio |\n|---|---|---|---|---|---|---|---|---|---|",
	)
	for _, size := range []string{"S", "M"} {
		db, err := w.database(ctx, size)
		if err != nil {
			return "", err
		}
		before, after, err := bench.sides(ctx, db)
		if err != nil {
			return "", err
		}
		for _, r := range appRequests {
			row, err := bench.latencyRow(ctx, before, after, r)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&out, "| %s | %s | %s |\n", size, r.name, row)
		}
	}
	return out.String(), nil
}

func (w *world) latencyRow(ctx context.Context, before, after userdb.UserID, r appRequest) (string, error) {
	old, now, err := w.sideBySide(ctx, before, after, r)
	if err != nil {
		return "", err
	}
	oldInside, nowInside, err := w.inside(ctx, before, after, r)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf(
		"%s | %s | %s | %s | **%.1f** | %s | %s | **%.1f**",
		milliseconds(median(old)),
		milliseconds(quantile(old, 0.99)),
		milliseconds(
			median(now),
		),
		milliseconds(quantile(now, 0.99)),
		median(old).Seconds()/median(now).Seconds(),
		preciseMilliseconds(
			median(oldInside),
		),
		preciseMilliseconds(median(nowInside)),
		median(oldInside).Seconds()/median(nowInside).Seconds(),
	), nil
}

// sides makes two users with the same file and migrates the second.
func (w *world) sides(ctx context.Context, db database) (before, after userdb.UserID, err error) {
	if before, err = w.upload(ctx, db); err != nil {
		return "", "", err
	}
	if after, err = w.upload(ctx, db); err != nil {
		return "", "", err
	}
	_, _, err = w.migrate(ctx, after, nil)
	return before, after, err
}

// latencyPatience bounds one row of the table on a slow or busy machine; fewestRequests are made all the
// same.
const (
	latencyPatience = 45 * time.Second
	fewestRequests  = 15
)

func (w *world) sideBySide(
	ctx context.Context,
	before, after userdb.UserID,
	r appRequest,
) (old, now []time.Duration, err error) {
	const warmUp = 3
	begun := time.Now()
	for i := range w.requests + warmUp {
		if len(old) >= fewestRequests && time.Since(begun) > latencyPatience {
			break
		}
		one, err := w.request(ctx, before, r, i+1, "file")
		if err != nil {
			return nil, nil, err
		}
		other, err := w.request(ctx, after, r, i+1, "store")
		if err != nil {
			return nil, nil, err
		}
		if i >= warmUp {
			old, now = append(old, one), append(now, other)
		}
	}
	return old, now, nil
}

// request times one request and demands that the expected side answered it.
func (w *world) request(
	ctx context.Context,
	u userdb.UserID,
	r appRequest,
	game int,
	side string,
) (time.Duration, error) {
	return w.post(ctx, queryPath(u), r, game, `"side":"`+side+`"`)
}

// A block takes about so long: the one request that starts it then weighs little.
const blockTime = 500 * time.Millisecond

// inside times requests in blocks that the Worker sends itself: per request, with nothing taken off.
func (w *world) inside(
	ctx context.Context,
	before, after userdb.UserID,
	r appRequest,
) (old, now []time.Duration, err error) {
	const warmUp = 5
	one, err := w.block(ctx, before, r, 1, "file", warmUp)
	if err != nil {
		return nil, nil, err
	}
	other, err := w.block(ctx, after, r, 1, "store", warmUp)
	if err != nil {
		return nil, nil, err
	}
	oldTimes, nowTimes := blockSize(one), blockSize(other)
	for i := range w.rounds {
		if one, err = w.block(ctx, before, r, i+1, "file", oldTimes); err != nil {
			return nil, nil, err
		}
		if other, err = w.block(ctx, after, r, i+1, "store", nowTimes); err != nil {
			return nil, nil, err
		}
		old, now = append(old, one), append(now, other)
	}
	return old, now, nil
}

// blockSize is how many requests of that length fill a block.
func blockSize(each time.Duration) int {
	const fewest, most = 5, 500
	return min(max(fewest, int(blockTime/max(each, 1))), most)
}

// block is what a request takes when the Worker sends it so many times, and demands that the expected side
// answered each.
func (w *world) block(
	ctx context.Context,
	u userdb.UserID,
	r appRequest,
	game int,
	side string,
	times int,
) (time.Duration, error) {
	took, err := w.post(
		ctx,
		fmt.Sprintf("/test/repeat/%d%s", times, queryPath(u)),
		r,
		game,
		fmt.Sprintf(`{"answered":%d,"side":"%s"}`, times, side),
	)
	return took / time.Duration(times), err
}

func queryPath(u userdb.UserID) string { return "/api/users/" + string(u) + "/query" }

// post times a request and demands that its answer is 200 and contains what is wanted.
func (w *world) post(
	ctx context.Context,
	path string,
	r appRequest,
	game int,
	want string,
) (time.Duration, error) {
	body, err := json.Marshal(
		map[string]any{
			"mode":       r.mode,
			"statements": []any{map[string]any{"sql": r.sql, "params": []int{game}}},
		},
	)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.cloud.URL+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+w.cloud.AppToken)
	req.Header.Set("Content-Type", "application/json")
	begun := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	took := time.Since(begun)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode != http.StatusOK || !bytes.Contains(answer, []byte(want)) {
		return 0, fmt.Errorf("%s %s: HTTP %d %.300s, want %s", r.mode, path, resp.StatusCode, answer, want)
	}
	return took, nil
}
