package main

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/result"
)

var migrateStages = []struct {
	stage result.Stage
	what  string
}{
	{result.StageDownload, "GET to a scratch file, SHA-256 on the way"},
	{
		result.StagePreflight,
		"every page and every row of the file, and its schema in a scratch database with a Durable Object's limits",
	},
	{result.StageClaim, "the claim, and a look at the file"},
	{result.StageCopy, "schema; then the next four, side by side"},
	{partRead, "· every row out of the file, by itself"},
	{partEncode, "· hash and encode it, by itself"},
	{partSend, "· the requests with the batches, one by one, where nothing is inserted"},
	{partInsert, "· what inserting adds to that"},
	{result.StageFinish, "indexes, views, triggers"},
	{result.StageDigest, "the Durable Object digests what its tables hold"},
	{result.StageFence, "the Worker replaces the file by itself under the mark, conditionally"},
	{result.StageActivate, "from the fence's beginning to the switch: fence, ready, activate"},
	{stageWait, "what of that comes after the fence's answer; before the fence's effect no write waits"},
	{result.StageFlag, "KV, one bulk call"},
}

// stageWait is no stage of the engine: activate without fence.
const stageWait result.Stage = "writes wait"

// stageTable says where the time goes, with the engine in this process.
func stageTable(ctx context.Context, w *world) (string, error) {
	sizes := strings.Split(w.sizes, ",")
	costs, whole := map[string]map[result.Stage]series{}, map[string][]time.Duration{}
	for _, size := range sizes {
		var err error
		if costs[size], whole[size], err = w.stagesOf(ctx, size); err != nil {
			return "", err
		}
	}
	var out strings.Builder
	fmt.Fprintf(
		&out,
		"| stage | %s | what it is |\n|---%s|---|\n",
		strings.Join(sizes, " | "),
		strings.Repeat("|---", len(sizes)),
	)
	for _, row := range migrateStages {
		fmt.Fprintf(&out, "| %s |", row.stage)
		for _, size := range sizes {
			s := costs[size][row.stage]
			fmt.Fprintf(&out, " %s (%d) |", milliseconds(median(s.took)), median(s.cpu).Milliseconds())
		}
		fmt.Fprintf(&out, " %s |\n", row.what)
	}
	fmt.Fprint(&out, "| **all** |")
	for _, size := range sizes {
		fmt.Fprintf(&out, " **%s** |", milliseconds(median(whole[size])))
	}
	fmt.Fprintln(&out, " with the requests between the stages |")
	return out.String(), nil
}

// stagesOf migrates one user after the other.
func (w *world) stagesOf(
	ctx context.Context,
	size string,
) (map[result.Stage]series, []time.Duration, error) {
	db, err := w.database(ctx, size)
	if err != nil {
		return nil, nil, err
	}
	costs, whole := map[result.Stage]series{}, []time.Duration{}
	for range w.roundsOf(size) {
		u, err := w.upload(ctx, db)
		if err != nil {
			return nil, nil, err
		}
		all, each, err := w.migrate(ctx, u, nil)
		if err != nil {
			return nil, nil, err
		}
		whole = append(whole, all)
		parts, err := w.copyParts(ctx, db)
		if err != nil {
			return nil, nil, err
		}
		maps.Copy(each, parts)
		each[stageWait] = cost{
			each[result.StageActivate].took - each[result.StageFence].took,
			each[result.StageActivate].runtime,
		}
		for stage, c := range each {
			s := costs[stage]
			s.add(c.took, c.runtime)
			costs[stage] = s
		}
	}
	return costs, whole, nil
}
