package migrate

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/dbmigrate/dbmigrate/pkg/result"
	"github.com/dbmigrate/dbmigrate/pkg/sqlitefile"
	"github.com/dbmigrate/dbmigrate/pkg/userdb"
	"github.com/dbmigrate/dbmigrate/pkg/userfile"
	"github.com/dbmigrate/dbmigrate/pkg/wire"
)

const (
	// batchBytes is about how large a request with rows is. A Durable Object inserts batches from 0.25 to 4
	// MB equally fast; small ones cost little memory, and large ones few requests.
	batchBytes = 3 << 19
	// batchesInFlight keeps the Durable Object busy: it inserts one while the next travels.
	batchesInFlight = 2
)

// copyProof is what was sent: the digest of the file, computed while its rows streamed.
type copyProof struct {
	digest  wire.DatabaseDigest
	rows    int64
	read    []*wire.Tally // of each of the file's tables
	counted chan error    // one value, when the census of the file is in digest
}

// copyFile streams the spooled file into the Durable Object: reading, hashing, encoding, sending and
// inserting overlap.
func (e *Engine) copyFile(
	ctx context.Context,
	u userdb.UserID,
	g userdb.Claim,
	file *userfile.Copy,
) (*copyProof, error) {
	begun := e.now()
	db, err := sqlitefile.Open(ctx, file.Path)
	if err != nil {
		return nil, err
	}
	proof, batches, err := e.sendFile(ctx, u, g, db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	e.observe(result.Event{User: u, Stage: result.StageCopy, Bytes: file.Size, Took: e.now().Sub(begun)})
	// The Durable Object has its turn, in which this side has nothing else to do.
	go func() { proof.counted <- errors.Join(proof.count(ctx, db), db.Close()) }()
	begun = e.now()
	if err := e.Stores.Finish(ctx, u, g, batches); err != nil {
		return nil, errors.Join(err, <-proof.counted)
	}
	e.observe(result.Event{User: u, Stage: result.StageFinish, Took: e.now().Sub(begun)})
	return proof, nil
}

// sendFile sends the schema and every row, and says how many batches that were.
func (e *Engine) sendFile(
	ctx context.Context,
	u userdb.UserID,
	g userdb.Claim,
	db *sqlitefile.File,
) (*copyProof, int64, error) {
	schema, err := db.Schema()
	if err != nil {
		return nil, 0, err
	}
	if _, err := e.Stores.Schema(ctx, u, g, schema); err != nil {
		return nil, 0, err
	}
	return e.sendRows(ctx, u, g, db, schema)
}

// count takes the census of the file, and holds what was sent against it.
func (p *copyProof) count(ctx context.Context, db *sqlitefile.File) error {
	for i := range db.Tables() {
		t := &db.Tables()[i]
		census, err := db.DemandCensus(ctx, t, p.read[i])
		if err != nil {
			return err
		}
		for j := range p.digest.Tables {
			if p.digest.Tables[j].Name == t.Name {
				p.digest.Tables[j].Census = census
			}
		}
	}
	return nil
}

// sendRows sends every row of every table, and says how many batches that were.
func (e *Engine) sendRows(
	ctx context.Context,
	u userdb.UserID,
	g userdb.Claim,
	db *sqlitefile.File,
	schema wire.Schema,
) (*copyProof, int64, error) {
	group, sending := errgroup.WithContext(ctx)
	group.SetLimit(batchesInFlight)
	s := &sender{Engine: e, user: u, g: g, group: group}
	s.batcher = wire.NewBatcher(
		e.Limits,
		batchBytes,
		func(body []byte, _ int) error { return s.send(sending, body) },
	)
	proof, err := s.readAll(sending, db, schema)
	if err == nil {
		err = s.batcher.Flush()
	}
	if sent := group.Wait(); sent != nil {
		err = sent
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return proof, s.batches, err
}

// sender numbers batches and keeps a few of them under way.
type sender struct {
	*Engine
	user    userdb.UserID
	g       userdb.Claim
	batcher *wire.Batcher
	group   *errgroup.Group
	batches int64
}

// send waits for a place among the batches under way. After one has failed, ctx has ended, and so does what
// was under way.
func (s *sender) send(ctx context.Context, body []byte) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	seq := s.batches
	s.batches++
	s.group.Go(func() error {
		defer s.batcher.Recycle(body)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		_, err := s.Stores.Rows(ctx, s.user, s.g, seq, body)
		return err
	})
	return nil
}

func (s *sender) readAll(ctx context.Context, db *sqlitefile.File, schema wire.Schema) (*copyProof, error) {
	proof := &copyProof{counted: make(chan error, 1)}
	var tables []wire.TableDigest
	for i := range db.Tables() {
		tally := db.Tables()[i].Tally()
		digest, err := s.readTable(ctx, db, &db.Tables()[i], tally)
		if err != nil {
			return nil, err
		}
		proof.read = append(proof.read, tally)
		tables = append(tables, digest)
		proof.rows += digest.Rows
	}
	proof.digest = wire.DatabaseDigestOf(wire.SchemaDigest(schema), tables)
	return proof, nil
}

func (s *sender) readTable(
	ctx context.Context,
	db *sqlitefile.File,
	t *sqlitefile.Table,
	tally *wire.Tally,
) (wire.TableDigest, error) {
	hasher := wire.NewTableHasher()
	if err := s.batcher.Table(t.Name, t.Import); err != nil {
		return wire.TableDigest{}, err
	}
	insert := make([]wire.Value, len(t.ImportCells))
	err := db.Rows(ctx, t, nil, func(row []wire.Value) error {
		if err := t.Count(tally, row); err != nil {
			return err
		}
		hasher.Add(row)
		for i, cell := range t.ImportCells {
			insert[i] = row[cell]
		}
		return s.batcher.Add(insert)
	})
	if err != nil {
		return wire.TableDigest{}, err
	}
	rows, digest := hasher.Sum()
	return wire.NewTableDigest(t.Name, rows, digest), nil
}

// aboutTable names the user in an error about one table.
func aboutTable(u userdb.UserID, err error) error {
	var e *userdb.Error
	if !errors.As(err, &e) || e.Thing == "" || e.Kind != userdb.Blocked && e.Kind != userdb.Conflict {
		return userfile.About(u, err)
	}
	named := *e
	named.Thing, named.Err = string(u), fmt.Errorf("%s: %w", e.Thing, e.Err)
	return &named
}
