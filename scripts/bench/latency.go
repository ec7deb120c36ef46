package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/userdb"
)

// latencyRequests are what an application does, through the router.
var latencyRequests = []struct {
	name, mode, sql string
}{
	{"read: the clips of a game", "read", "SELECT id, start_s, end_s, label FROM clips WHERE game_id = ? ORDER BY start_s"},
	{"write: a game's score", "write", "UPDATE games SET home_score = home_score + 1 WHERE id = ?"},
}

// latency sends the same requests to a user whose file is in R2 and to one who moved, one after the other.
func latency(ctx context.Context, w *world) (string, error) {
	var out strings.Builder
	fmt.Fprintln(&out, "| database | request | times each | before: R2 path, median | p99 | after: DO path, median | p99 | ratio of the medians |\n|---|---|---|---|---|---|---|---|")
	for _, size := range []string{"S", "M"} {
		db, err := w.database(ctx, size)
		if err != nil {
			return "", err
		}
		before, after, err := w.sides(ctx, db)
		if err != nil {
			return "", err
		}
		for _, r := range latencyRequests {
			old, now, err := w.sideBySide(ctx, before, after, r.mode, r.sql)
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&out, "| %s | %s | %d | %s | %s | %s | %s | **%.1f** |\n", size, r.name, len(old), milliseconds(median(old)), milliseconds(quantile(old, 0.99)),
				milliseconds(median(now)), milliseconds(quantile(now, 0.99)), median(old).Seconds()/median(now).Seconds())
		}
	}
	return out.String(), nil
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

// latencyPatience bounds one row of the table on a slow or busy machine; fewestRequests are made all the same.
const (
	latencyPatience = 45 * time.Second
	fewestRequests  = 15
)

func (w *world) sideBySide(ctx context.Context, before, after userdb.UserID, mode, sql string) (old, now []time.Duration, err error) {
	const warmUp = 3
	begun := time.Now()
	for i := range w.requests + warmUp {
		if len(old) >= fewestRequests && time.Since(begun) > latencyPatience {
			break
		}
		one, err := w.request(ctx, before, mode, sql, i+1, "file")
		if err != nil {
			return nil, nil, err
		}
		other, err := w.request(ctx, after, mode, sql, i+1, "store")
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
func (w *world) request(ctx context.Context, u userdb.UserID, mode, sql string, game int, side string) (time.Duration, error) {
	body, err := json.Marshal(map[string]any{"mode": mode, "statements": []any{map[string]any{"sql": sql, "params": []int{game}}}})
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.cloud.URL+"/api/users/"+string(u)+"/query", bytes.NewReader(body))
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
	if resp.StatusCode != http.StatusOK || !bytes.Contains(answer, []byte(`"side":"`+side+`"`)) {
		return 0, fmt.Errorf("a %s for %s: HTTP %d %.300s", mode, u, resp.StatusCode, answer)
	}
	return took, nil
}
