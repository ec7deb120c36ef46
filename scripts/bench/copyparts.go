package main

import (
	"context"
	"sync"
	"time"

	"github.com/dbmigrate/dbmigrate/pkg/migrate"
	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

// The parts of the copy overlap, so each is measured by itself. They are no stages of the engine.
const (
	partRead   result.Stage = "read"
	partEncode result.Stage = "encode"
	partSend   result.Stage = "send"
	partInsert result.Stage = "insert"
)

// copyParts migrates the user once more, one request at a time, and reads the user's file without sending it.
func (w *world) copyParts(ctx context.Context, db database) (map[result.Stage]cost, error) {
	read, err := readRows(ctx, db.path, false)
	if err != nil {
		return nil, err
	}
	both, err := readRows(ctx, db.path, true)
	if err != nil {
		return nil, err
	}
	u, err := w.upload(ctx, db)
	if err != nil {
		return nil, err
	}
	sender := &lonelySender{Stores: w.engine.Stores}
	engine := *w.engine
	engine.Stores = sender
	if r := engine.Migrate(ctx, u); r.Err() != nil {
		return nil, r.Err()
	}
	whole, send := sender.first, sender.again
	return map[result.Stage]cost{partRead: {took: read}, partEncode: {took: both - read}, partSend: send,
		partInsert: {whole.took - send.took, whole.runtime - send.runtime}}, nil
}

// readRows reads every row as the copy does, and hashes and encodes it if it is to.
func readRows(ctx context.Context, path string, encode bool) (time.Duration, error) {
	begun := time.Now()
	file, err := sqlitefile.Open(ctx, path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	batcher := wire.NewBatcher(wire.DefaultLimits, 1<<20, func([]byte, int) error { return nil })
	for i := range file.Tables() {
		table := &file.Tables()[i]
		take := func([]wire.Value) error { return nil }
		if encode {
			if take, err = encoder(table, batcher); err != nil {
				return 0, err
			}
		}
		if err := file.Rows(ctx, table, nil, take); err != nil {
			return 0, err
		}
	}
	return time.Since(begun), batcher.Flush()
}

func encoder(t *sqlitefile.Table, batcher *wire.Batcher) (func([]wire.Value) error, error) {
	hasher, insert := wire.NewTableHasher(), make([]wire.Value, len(t.ImportCells))
	return func(row []wire.Value) error {
		hasher.Add(row)
		for i, cell := range t.ImportCells {
			insert[i] = row[cell]
		}
		return batcher.Add(insert)
	}, batcher.Table(t.Name, t.Import)
}

// lonelySender sends one batch at a time, and each a second time: the Durable Object reads it and answers
// that it has it already. What that takes is the sending, and the rest of the first time the inserting.
type lonelySender struct {
	migrate.Stores
	mu           sync.Mutex
	first, again cost
}

func (s *lonelySender) Rows(
	ctx context.Context,
	u userdb.UserID,
	g userdb.Claim,
	seq int64,
	batch []byte,
) (wire.RowsAnswer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	answer, err := s.timed(ctx, u, g, seq, batch, &s.first)
	if err != nil {
		return answer, err
	}
	_, err = s.timed(ctx, u, g, seq, batch, &s.again)
	return answer, err
}

func (s *lonelySender) timed(
	ctx context.Context,
	u userdb.UserID,
	g userdb.Claim,
	seq int64,
	batch []byte,
	sum *cost,
) (wire.RowsAnswer, error) {
	runtime := workerds()
	used, begun := cpuTime(runtime), time.Now()
	answer, err := s.Stores.Rows(ctx, u, g, seq, batch)
	sum.took += time.Since(begun)
	sum.runtime += cpuTime(runtime) - used
	return answer, err
}
